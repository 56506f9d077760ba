"use strict";
// Find a word in the transcripts. Without this script every word is there, only the field is not.
for (const find of document.querySelectorAll(".find")) {
  const input = find.querySelector("input");
  const status = find.querySelector("[role=status]");
  const rows = [...document.getElementById(find.dataset.table).tBodies[0].rows];
  const cells = rows.map((row) => row.cells[1]);
  const clean = cells.map((cell) => cell.cloneNode(true));
  const words = JSON.parse(find.dataset.words);

  const mark = (cell, needle) => {
    let hits = 0;
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (let text of texts) {
      for (;;) {
        const at = text.data.toLocaleLowerCase().indexOf(needle);
        if (at < 0 || at + needle.length > text.data.length) break;
        const hit = text.splitText(at);
        text = hit.splitText(needle.length);
        const marked = document.createElement("mark");
        hit.replaceWith(marked);
        marked.append(hit);
        hits += 1;
      }
    }
    return hits;
  };

  input.addEventListener("input", () => {
    const needle = input.value.trim().toLocaleLowerCase();
    let total = 0;
    cells.forEach((cell, index) => {
      cell.replaceChildren(...clean[index].cloneNode(true).childNodes);
      const inside = needle && cell.textContent.toLocaleLowerCase().includes(needle);
      const hits = inside ? Math.max(mark(cell, needle), 1) : 0;
      rows[index].hidden = Boolean(needle) && hits === 0;
      total += hits;
    });
    const form = total === 0 ? words.none : total === 1 ? words.one : words.many;
    status.textContent = needle ? form.replace("#", String(total)) : "";
  });
  find.hidden = false;
}
