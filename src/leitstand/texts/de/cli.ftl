# Was die Befehle ausgeben (docs/cli.md).

cli-error = Fehler:
cli-why = weil
cli-do = tun

cli-next = Weiter
cli-report = Auswertung
cli-go-on = Fortsetzen
cli-drop-it = Verwerfen
cli-check-with = Prüfen mit
cli-start-it = Beginnen

## Schritte

cli-head-step-plan = Plan
cli-head-step-instance = Instanz
cli-head-step-models = Modelle
cli-head-step-released = Beendet

cli-reading = wird angesehen
cli-sending = verschlüsselt abgelegt, { $size }
cli-same-file = { $name } { $first ->
    [none] wurde zweimal genannt
   *[other] ist dasselbe wie { $first }
}; ausgewertet wird einmal
cli-left-out = { $count ->
    [one] 1 Datei ausgelassen: kein Bild, kein Video, kein Ton
   *[other] { $count } Dateien ausgelassen: kein Bild, kein Video, kein Ton
}

cli-kind-image = { $count ->
    [one] 1 Bild
   *[other] { $count } Bilder
}
cli-kind-video = { $count ->
    [one] 1 Video
   *[other] { $count } Videos
}{ $long ->
    [none] {""}
   *[other] {" "}({ $long })
}
cli-kind-audio = { $count ->
    [one] 1 Tonaufnahme
   *[other] { $count } Tonaufnahmen
}{ $long ->
    [none] {""}
   *[other] {" "}({ $long })
}

cli-batch-here = Fall { $case }, { $what }. Nichts verlässt diesen Rechner, kein Geld fließt.
cli-batch-away = Fall { $case }, { $what }. Hier verschlüsselt, { $stored } abgelegt.

cli-this-computer = dieser Rechner
cli-own-machine = eigener Rechner
cli-cores = { $cores ->
    [one] 1 Kern, keine GPU
   *[other] { $cores } Kerne, keine GPU
}
cli-no-gpu = keine GPU
cli-plan-free = { $where }: { $machine }{ $about ->
    [none] {""}
   *[other] ; etwa { $about }
}
cli-plan-paid = { $machine }, { $where }, Stufe { $tier }; erwartet { $expected }, höchstens { $worst }, fertig { $finish }
cli-traffic = Von den Höchstkosten sind { $amount } für Datenverkehr, den dieser Host je Gigabyte berechnet.
cli-reserves = Merkt { $amount } vor{ $left ->
    [none] .
   *[other] ; davor sind { $left } des Budgets frei.
}
cli-rent-ask = Mieten und beginnen? [j/N, ? für das Warum]
cli-yes-words = j ja
cli-helps-accelerator = noch nichts: für Karten dieses Herstellers gibt es keinen Worker
cli-helps-address-http = worker.advertise_url mit https
cli-helps-address-loopback = eine aus dem Internet erreichbare worker.advertise_url
cli-helps-address-private = eine aus dem Internet erreichbare worker.advertise_url
cli-helps-address-unresolvable = eine worker.advertise_url mit einer Adresse im DNS
cli-helps-agreement = ein erfasster Vertrag zur Auftragsverarbeitung mit dem Anbieter
cli-helps-boot-files = leitstand images bundle
cli-helps-budget = mehr bei --max-cost oder Budget
cli-helps-burst = eine Frist (--by), oder placement.burst = "full"
cli-helps-criticality = ein späteres --by, damit ein Gebot einmal verloren gehen darf
cli-helps-deadline = ein späteres --by
cli-helps-disk = ein kleineres placement.disk_gib_min
cli-helps-image-age = ein neueres Image mit seinem image_date, und leitstand images bundle
cli-helps-own-first = nichts: ein eigener Rechner darf und kann es
cli-helps-price = höhere Preisgrenze des Anbieters
cli-helps-quarantine = warten, bis sie vorbei ist
cli-helps-region = nur ein Angebot an einem Ort, den providers.<name>.regions nennt
cli-helps-regions-unset = die erlaubten Orte in providers.<name>.regions nennen
cli-helps-tier = bessere Stufe oder eigener Rechner
cli-chosen = gewählt
cli-chosen-head = Gewählt
cli-none = nichts, von { $seen } Angeboten
cli-nothing-rented = Nichts wurde gemietet oder vorgemerkt.
cli-silent = { $provider } antwortet nicht ({ $error }); die Angebote von dort fehlen
cli-change-bandwidth = Nichts genügt; am wenigsten fehlt bei { $offer }: lädt mit { $to }.
cli-change-budget = Anders wäre es, wenn { $to } frei wären: dann { $offer }, { $cost }.
cli-change-deadline = Anders wäre es, wenn Zeit bis { $to } wäre: dann { $offer }, { $cost }.
cli-change-disk = Nichts genügt; am wenigsten fehlt bei { $offer }: hat { $to } Plattenplatz.
cli-change-losses = Anders wäre es, wenn { $offer } seltener als { $to } Mal je Stunde verloren ginge.
cli-change-memory = Nichts genügt; am wenigsten fehlt bei { $offer }: hat { $to } Speicher.
cli-change-own-price = Anders wäre es, wenn das gewählte über { $to } je Stunde kostete: dann { $offer }, { $cost }.
cli-change-price = Anders wäre es, wenn { $offer } unter { $to } je Stunde kostete.
cli-change-price-max = Anders wäre es, wenn eine Stunde { $to } kosten dürfte: dann { $offer }, { $cost }.
cli-change-reliability = Nichts genügt; am wenigsten fehlt bei { $offer }: Zuverlässigkeit { $to }.
cli-change-vram = Nichts genügt; am wenigsten fehlt bei { $offer }: hat { $to } VRAM.
cli-bid-critical = Keine Gebote: einmal verloren, käme { $offer } zu spät. Es kostete weniger als { $firm }, solange es seltener als { $even } Mal je Stunde verloren ginge (bekannt: { $known }).
cli-bid-pays = Ein Gebot für { $offer } kostet weniger als { $firm }, solange es seltener als { $even } Mal je Stunde verloren geht (bekannt: { $known }).
cli-aged = { $provider } ist langsam; die Angebote von dort sind { $age } alt
cli-in-vain =
    { $count ->
        [one] Ein Angebot wurde vergeblich gestartet:
       *[other] { $count } Angebote wurden vergeblich gestartet:
    }
cli-why-said = { $why }: „{ $said }“
cli-image-old = { $days ->
    [unknown] woraus Maschinen von { $provider } starten, ist von unbekanntem Alter: image_date dazu setzen
   *[other] woraus Maschinen von { $provider } starten, ist { $days } Tage alt: ein neueres Image mit seinem image_date eintragen und leitstand images bundle ausführen
}
cli-rate-old = { $day ->
    [none] niemand sagt, von welchem Tag der Kurs ist, der Dollar zu Euro macht: money.usd_eur_date setzen
   *[other] der Kurs, der Dollar zu Euro macht, ist vom { $day }: money.usd_eur und money.usd_eur_date setzen
}
cli-prebuilt = Ein Image, das den Worker schon hat, spart bei jedem Start etwa { $time } und { $cost }: leitstand images build
cli-replayed-head = Wiederholung
cli-replayed = die aufbewahrten Tatsachen ergeben wieder dieselbe Wahl
cli-replayed-not = die aufbewahrten Tatsachen ergeben eine andere Wahl: sie wurden verändert, oder die Regeln sind neuer als die Entscheidung
cli-replayed-never = es waren zu viele Angebote, um sie aufzubewahren
cli-no-hosts = Noch hat keine Maschine Aufzeichnungen; die erste Miete legt sie an.
cli-from-to = { $low } bis { $high }
cli-host-bid = Gebote
cli-host-new = neu
cli-host-parole = Bewährung: der nächste Fehler heißt wieder Quarantäne
cli-host-quarantine = Quarantäne bis { $until }
cli-host-trusted = bewährt
cli-host-watched = beobachtet
cli-offers = { $count ->
    [0] Kein Angebot. Weniger Bedingungen zeigen mehr.
    [one] 1 Angebot.
   *[other] { $count } Angebote.
}

cli-admitted = { $instance } zugelassen{ $took ->
    [none] {""}
   *[other] {" "}nach { $took }
}, alle Prüfungen bestanden
cli-models-match = { $names }: Prüfsummen stimmen
cli-instance-ends = { $instance } endet: { $why }
cli-instance-ended = { $instance } ist zu Ende: { $why }. Offene Abschnitte beginnen von vorn.

cli-files = { $count ->
    [one] 1 Datei
   *[other] { $count } Dateien
}
cli-live = { $strip }  { $percent } %{ $rate ->
    [none] {""}
   *[other] {"   "}{ $rate } Bilder/s
}   { $cost }{ $left ->
    [none] {""}
   *[other] {"   "}noch etwa { $left }
}
cli-progress-line = { $name }: { $done } von { $total } Abschnitten{ $rate ->
    [none] {""}
   *[other] , { $rate } Bilder/s
}, { $cost }

cli-media-erased = { $receipts ->
    [none] Medien gelöscht
   *[other] Medien gelöscht (Löschbeleg { $receipts })
}
cli-media-held = { $until ->
    [none] Medien aufbewahrt
   *[other] Medien aufbewahrt bis { $until }
}
cli-kept-segments = Medien und { $done } von { $total } Abschnitten aufbewahrt{ $until ->
    [none] {""}
   *[other] {" "}bis { $until }
}
cli-erased-when-run = Sie werden dann gelöscht, falls Leitstand läuft, sonst vom ersten Befehl nach dieser Zeit.
cli-seen = { $instances } nachweislich weg; { $after }
cli-releasing = { $instances } soll enden; gewartet wird, bis der Anbieter nichts mehr davon führt
cli-not-seen = { $instances } soll enden, ist noch nicht nachweislich weg; { $after }

cli-done = Fertig nach { $time } für { $cost }. { $done } von { $total } Medien, { $gaps ->
    [0] keine Lücken
    [one] 1 Lücke
   *[other] { $gaps } Lücken
}.
cli-some-failed = { $count ->
    [one] 1 gescheitert ({ $names })
   *[other] { $count } gescheitert ({ $names })
}. Die Auswertung enthält { $done ->
    [0] keines
    [one] das andere
   *[other] die anderen { $done }
}.
cli-some-partial = { $count ->
    [one] 1 war nur zum Teil lesbar ({ $names })
   *[other] { $count } waren nur zum Teil lesbar ({ $names })
}; die Auswertung markiert, was fehlt.
cli-none-taken = Keine der Dateien war zu gebrauchen; nichts wurde begonnen.

## Strg-C

cli-given-up = Abgebrochen, bevor etwas begann; was abgelegt war, ist gelöscht.
cli-taken-back = Was abgelegt war, ist gelöscht.
cli-taking-back-stopped = Strg-C hat das Löschen beendet
cli-interrupted = Hier abgebrochen. Was ein Leitstand schon tun soll, geht dort weiter.
cli-holding = Der laufende Abschnitt wird fertig, dann wird beendet. Strg-C noch einmal: sofort.
cli-holding-at = Abschnitt { $segment } von { $name } wird fertig, dann wird beendet. Strg-C noch einmal: sofort.
cli-stopping = Wird sofort beendet.
cli-held = Angehalten.
cli-goes-on = Das sind die Dateien von { $job }, der angehalten war. Er geht weiter.
cli-cancelled = { $job } ist abgebrochen.
cli-not-yet-gone = { $instances } { $count ->
    [one] soll
   *[other] sollen
} enden, noch nicht nachweislich weg.

## Modelle

cli-models-needed = Es fehlen Modelle: { $names }, { $size } zu laden.
cli-models-optional = Nicht hier, also nicht gesucht: { $names } ({ $size }, leitstand models pull).
cli-models-ask = Jetzt laden? [j/N]
cli-bundling = Worker für Python { $python } auf x86_64, { $accelerator }, wird geholt und gebaut
cli-bundled = { $files } Dateien, { $size }, für Maschinen mit Python { $python }. Laufende Leitstellen geben sie ab jetzt aus.
cli-image-building = { $name } wird mit { $engine } gebaut; das dauert Minuten.
cli-image-pushing = { $name } wird hochgeladen
cli-image-built = { $name } ist gebaut: { $image }
cli-image-setting = In leitstand.toml, unter [providers.<name>], für Anbieter, die es holen dürfen:
cli-image-setting-here = Es ist nur hier. In leitstand.toml, unter [providers.docker], für Engines, die es haben; mit --push bekommt es einen Digest, unter dem andere es holen können:
cli-firewall = { $file } lässt eine Maschine { $url } ({ $addresses }) erreichen und sonst nichts. Dort, als root: nft -f { $file }
cli-pulling = Lädt { $names }, { $size }.
cli-pull-fetch = lädt { $name }, { $done } von { $total }
cli-pull-make = bereitet { $name } vor
cli-pulled = geladen, Prüfsumme stimmt
cli-pull-done = { $fetched ->
    [0] Nichts zu laden
    [one] 1 Modell geladen
   *[other] { $fetched } Modelle geladen
}, { $present } waren hier.
cli-verify-ok = Prüfsumme stimmt
cli-verify-missing = fehlt: { $files }
cli-verify-wrong = falsche Prüfsumme, beiseitegelegt: { $files }
cli-verify-changed = { $file } von { $model } wurde geändert; die geänderte Datei liegt als { $path }
cli-verified = { $good } geprüft, { $bad } nicht in Ordnung.
cli-here = hier
cli-absent = –

## Listen

cli-no-jobs = Noch kein Auftrag.
cli-works-for = arbeitet für { $jobs }
cli-name-erased = (gelöscht)
cli-no-media = Kein Medium wird aufbewahrt.
cli-no-cases = Noch kein Fall. leitstand analyze eröffnet einen.
cli-no-instances = Keine Instanz läuft.
cli-some-of = { $shown } von { $total }, was einen Menschen braucht zuerst; --all zeigt alle.
cli-job-is = { $name } ({ $job }): { $state }. { $done } von { $total } Abschnitten, { $cost }, fertig { $finish }.
cli-because = Denn: { $why }
cli-job-held = { $job } macht die laufenden Abschnitte fertig und beendet dann die Instanz.
cli-job-held-before = { $job } ist schon angehalten.
cli-listening = Die Leitstelle ist erreichbar: für Befehle an { $operators }, für Worker an { $workers }. Strg-C beendet.
cli-ended = Die Leitstelle ist beendet.
cli-draining = { $instance } macht fertig, was sie hat, und endet dann.
cli-state-gaps = { $state }, { $gaps ->
    [one] 1 Lücke
   *[other] { $gaps } Lücken
}
cli-state-proof = Zustand bekannt durch { $kind }, { $at }.
cli-reap-asked = { $providers } nach allem unter unserer Kennung gefragt, vollständig, ohne die Datenbank.
cli-reap-stranger = { $id } heißt { $label }: bleibt, weil nicht bekannt ist, ob es Ihres ist
cli-reap-others = { $count ->
    [one] 1 Instanz einer anderen Installation gesehen und in Ruhe gelassen.
   *[other] { $count } Instanzen anderer Installationen gesehen und in Ruhe gelassen.
}
cli-reap-no-rate = money.usd_eur ist nicht gesetzt: Hier zählt ein Dollar als ein Euro.
cli-reap-unasked = wurde nicht gefragt ({ $error }); was dort läuft, ist unbekannt
cli-reap-unlisted = sagte nicht, welche Volumes dort liegen ({ $error }); sie kosten, bis sie gelöscht sind
cli-reap-silent = antwortete nicht ({ $error }); was dort läuft, ist unbekannt
cli-reap-doubtful = { $id } heißt { $label }, und womit es gestartet wurde, sagt das nicht. Es kann jemand anderem gehören und bleibt: in der Konsole des Anbieters ansehen, und dort beenden, wenn es deins ist
cli-reap-ask = { $count ->
    [one] 1 beenden?
   *[other] { $count } beenden?
} [j/N]
cli-reap-head = Beendet
cli-reap-done = { $all ->
    [True] nichts von uns ist mehr gelistet
   *[other] nichts von uns ist über seiner Zeit
}
cli-erase-ask = { $name } ({ $medium }) endgültig löschen? [j/N]
cli-erased = { $medium } ist gelöscht: der Schlüssel ist zerstört, hier lassen sich seine Dateien nicht mehr öffnen. Eine früher gemachte Kopie der Datenbank öffnet sie zusammen mit einer Kopie des Schlüsselordners weiterhin, bis Sie diese löschen.
cli-report-stays = Die Auswertung von { $job } bleibt { $until ->
    [held] so lange, wie ihr Fall festgehalten wird
   *[other] bis { $until }
}. Sie enthält den Namen der Datei, was die Datei über sich sagt (auch EXIF), und was darin gefunden wurde: ausgeschnittene Bilder und gesprochene Worte, soweit vorhanden.
cli-identity-secret = Wer diese Identität hat, kann das Medium lesen. Die Ausgabe steht im Protokoll.
cli-downloaded = { $count ->
    [one] 1 verschlüsselte Datei
   *[other] { $count } verschlüsselte Dateien
} in { $folder }.

cli-state-planned = geplant
cli-state-waiting = wartet
cli-state-running = läuft
cli-state-held = angehalten
cli-state-done = fertig
cli-state-failed = gescheitert
cli-state-cancelled = abgebrochen

cli-medium-receiving = wird empfangen
cli-medium-intake = wird aufgenommen
cli-medium-ready = bereit
cli-medium-erasing = wird gelöscht
cli-medium-erased = gelöscht
cli-medium-failed = gescheitert
cli-medium-partial = zum Teil
cli-medium-done = fertig
cli-medium-running = läuft
cli-medium-waiting = wartet

cli-instance-intended = vorgesehen
cli-instance-launching = wird angefordert
cli-instance-booting = startet
cli-instance-admitting = wird geprüft
cli-instance-ready = bereit
cli-instance-draining = läuft aus
cli-instance-pausing = wird pausiert
cli-instance-paused = pausiert
cli-instance-resuming = wird fortgesetzt
cli-instance-terminating = wird beendet
cli-instance-terminated = nachweislich weg

cli-word-image = Bild
cli-word-video = Video
cli-word-audio = Ton

cli-head-nothing = {""}
cli-head-act = VORGANG
cli-head-actor = WER
cli-head-attempts = VERSUCHE
cli-head-case = FALL
cli-head-change = ÄNDERUNG
cli-head-class = KLASSE
cli-head-cost = KOSTEN
cli-head-due = FÄLLIG
cli-head-entry = EINTRAG
cli-head-example = ZUM BEISPIEL
cli-head-expected = ERWARTET
cli-head-family = FAMILIE
cli-head-finish = FERTIG
cli-head-gpu = GPU
cli-head-has = HAT
cli-head-held-until = AUFBEWAHRT BIS
cli-head-here = HIER
cli-head-holds = HÄLT (95 %)
cli-head-host = HOST
cli-head-label = KENNUNG
cli-head-provider = ANBIETER
cli-head-end-by = ENDE BIS
cli-head-instance = INSTANZ
cli-head-job = AUFTRAG
cli-head-kind = ART
cli-head-length = LÄNGE
cli-head-licence = LIZENZ
cli-head-machine = MASCHINE
cli-head-media = MEDIEN
cli-head-medium = MEDIUM
cli-head-misses = VERFEHLT UM
cli-head-model = MODELL
cli-head-name = NAME
cli-head-offers = ANGEBOTE
cli-head-opened = ERÖFFNET
cli-head-per-hour = €/H
cli-head-progress = FORTSCHRITT
cli-head-ready = BEREIT
cli-head-probe = PROBE
cli-head-rejected = SCHEITERT AN
cli-head-remedy = WÜRDE HELFEN
cli-head-segments = ABSCHNITTE
cli-head-size = GRÖSSE
cli-head-so-far = BISHER
cli-head-speed = TEMPO
cli-head-state = ZUSTAND
cli-head-subject = GEGENSTAND
cli-head-tier = STUFE
cli-head-time = ZEIT
cli-head-version = VERSION
cli-head-video-per-hour = VIDEO €/H
cli-head-vram = VRAM
cli-head-gb = GB
cli-head-last-use = ZULETZT
cli-head-models = MODELLE
cli-head-per-day = €/TAG
cli-head-volume = VOLUME
cli-head-where = WO
cli-head-why = WARUM
cli-head-why-not = WARUM NICHT
cli-head-worst = HÖCHSTENS

## Vertrauen

cli-ledger-ok = { $entries } Einträge, Wurzel { $root }
cli-heads-ok = { $heads ->
    [one] 1 unterschriebener Kopf setzt die Einträge davor fort
   *[other] { $heads } unterschriebene Köpfe, jeder setzt den vorigen fort
}
cli-state-agrees = Der Zustand stimmt: { $subjects }
cli-count-attempt = { $count ->
    [one] 1 Versuch
   *[other] { $count } Versuche
}
cli-count-case = { $count ->
    [one] 1 Fall
   *[other] { $count } Fälle
}
cli-count-charge = { $count ->
    [one] 1 Buchung
   *[other] { $count } Buchungen
}
cli-count-decision = { $count ->
    [one] 1 Entscheidung
   *[other] { $count } Entscheidungen
}
cli-count-instance = { $count ->
    [one] 1 Instanz
   *[other] { $count } Instanzen
}
cli-count-job = { $count ->
    [one] 1 Auftrag
   *[other] { $count } Aufträge
}
cli-count-key = { $count ->
    [one] 1 Schlüssel
   *[other] { $count } Schlüssel
}
cli-count-medium = { $count ->
    [one] 1 Medium
   *[other] { $count } Medien
}
cli-count-reservation = { $count ->
    [one] 1 Vormerkung
   *[other] { $count } Vormerkungen
}
cli-count-result = { $count ->
    [one] 1 Ergebnis
   *[other] { $count } Ergebnisse
}
cli-count-rent = { $count ->
    [one] 1 Miete eines Volumes
   *[other] { $count } Mieten von Volumes
}
cli-count-task = { $count ->
    [one] 1 Aufgabe
   *[other] { $count } Aufgaben
}
cli-count-volume = { $count ->
    [one] 1 Volume
   *[other] { $count } Volumes
}
cli-entry-unreadable = nicht lesbar
cli-verified-in = Geprüft in { $time }.
cli-fault-entry-missing = Eintrag { $place } fehlt.
cli-fault-entry-changed = Eintrag { $place } wurde nach dem Schreiben geändert.
cli-fault-entry-unreadable = Eintrag { $place } ist nicht lesbar.
cli-fault-entry-astray = Eintrag { $place } passt nicht zu den früheren über dieselbe Sache.
cli-fault-head-beyond = Kopf { $place } liegt hinter den vorhandenen Einträgen.
cli-fault-head-missing = Kein signierter Kopf deckt die Einträge ab { $place }.
cli-fault-head-signature = Die Signatur von Kopf { $place } stimmt nicht.
cli-fault-head-differs = Kopf { $place } wurde über andere Einträge signiert.
cli-fault-row-gone = { $place } ist ohne Eintrag verschwunden.
cli-fault-row-changed = { $place } änderte sich ohne Eintrag.
cli-ledger-broken = Einträge von dort an sind nicht bewiesen. Das Protokoll aus einer Sicherung zurückholen.

## Doctor

cli-doctor-python = Python
cli-doctor-machine = Rechner
cli-doctor-folders = Ordner
cli-doctor-settings = Einstellung
cli-doctor-media = Medien
cli-doctor-sandbox = Abschottung
cli-doctor-gpu = GPU
cli-doctor-models = Modelle
cli-doctor-control = Leitstand
cli-doctor-python-is = { $version }, { $machine }
cli-doctor-machine-is = { $cores ->
    [one] 1 Kern
   *[other] { $cores } Kerne
}, { $ram } Speicher frei, { $disk } Platte frei
cli-doctor-disk-low = nur { $disk } Platte frei. Platz schaffen; eine Auswertung braucht etwa { $needed }.
cli-doctor-folders-ok = alle beschreibbar, unter { $folder }
cli-doctor-settings-ok = { $file }, { $present ->
    [yes] gelesen
   *[no] nicht vorhanden, also gelten die Vorgaben
}
cli-doctor-media-ok = alle da: { $names }
cli-doctor-media-missing = { $names } fehlt: keine Auswertung auf diesem Rechner. pip install "leitstand[media]"
cli-doctor-sandbox-ok = { $abilities }: wirksam
cli-doctor-sandbox-lacks = { $missing } fehlt; Decoder lassen sich nicht abschotten, also wird keine Datei geöffnet. Linux ab 5.13 mit Landlock und seccomp nehmen, dazu libseccomp2.
cli-doctor-gpu-none = keine gefunden: Auswerten geht, nur langsamer
cli-doctor-gpu-is = { $names }
cli-doctor-models-ok = { $count } von { $total } der Grundausstattung sind hier
cli-doctor-models-some = { $count } von { $total } der Grundausstattung sind hier, { $size } zu laden: leitstand models pull
cli-doctor-image = Image
cli-doctor-rate = Dollarkurs
cli-doctor-rate-none = für die Dollar von Anbietern ist kein Kurs gesetzt
cli-doctor-rate-ok = { $rate } € für einen Dollar, vom { $day }
cli-doctor-rate-old = { $rate } € für einen Dollar, { $day ->
    [none] niemand sagt, von welchem Tag: money.usd_eur_date setzen
   *[other] vom { $day }: money.usd_eur und money.usd_eur_date setzen
}
cli-doctor-image-none = kein Anbieter startet Maschinen aus einem Image
cli-doctor-image-ok = { $ages }
cli-doctor-image-old = { $ages }. Ein neueres Image mit seinem image_date eintragen und leitstand images bundle ausführen; ab { $most } Tagen wird für Personen nichts gemietet
cli-doctor-providers = Anbieter
cli-doctor-providers-none = keiner ist eingerichtet; ausgewertet wird auf diesem Rechner
cli-doctor-providers-ok = eingerichtet: { $names }
cli-doctor-control-up = Version { $version } antwortet an { $where }
cli-doctor-control-idle = hier läuft keiner; ein Befehl, der einen braucht, startet ihn
cli-doctor-control-old = Version { $version } antwortet an { $where }, diese ist { $ours }. Auf beiden Seiten dieselbe installieren.
cli-doctor-sum = { $good } gut, { $improve } zu verbessern, { $broken } kaputt.

## Fehler der Befehlszeile

problem-usage = { $detail }
    .do = { $command } --help
problem-unknown-option = keine Option „{ $given }“
    .do = { $command } --help; ein Dateiname mit Strich am Anfang gehört hinter --
problem-unknown-command = kein Befehl „{ $given }“
    .do = { $near ->
        [none] { $command } --help
       *[other] { $command } { $near }, oder { $command } --help
    }
problem-unexpected-argument = „{ $given }“ ist zu viel
    .do = { $command } --help
problem-missing-argument = { $name } fehlt
    .do = { $command } --help
problem-bad-value = { $option } „{ $given }“ ist { $kind ->
        [integer] keine ganze Zahl
        [number] keine Zahl
       *[choice] keiner der möglichen Werte
    }
    .do = { $choices ->
        [none] { $command } --help
       *[other] { $option } { $choices }
    }
problem-bad-id = „{ $given }“ ist keine Kennung
    .why = eine Kennung besteht aus Buchstaben und Ziffern, etwa j-71c0; ihr Ende genügt
    .do = sie aus leitstand jobs, leitstand media oder leitstand instances nehmen
problem-case-unnamed = --case hat keinen Namen
    .do = --case K-2031; ohne --case ist es inbox
problem-no-paths = keine Datei wurde genannt
    .do = leitstand analyze bus.jpg clip.mp4
problem-plan-or-paths = --plan beginnt eine Entscheidung, die Dateien, Fall, Klasse und Grenzen hat; mehr kommt nicht dazu
    .do = die Pfade und anderen Optionen weglassen, oder --plan weglassen
problem-plan-started = { $plan } wurde schon begonnen, als { $job }
    .why = ein Plan beginnt einen Auftrag; { $job } ist { $state ->
        [waiting] wartend
        [running] laufend
        [held] angehalten
        [done] fertig
        [failed] gescheitert
       *[cancelled] abgebrochen
    }
    .do = { $state ->
        [done] leitstand jobs report { $job } schreibt die Auswertung
        [held] leitstand jobs resume { $job }
        [failed] einen neuen machen: leitstand plan PATH...
        [cancelled] einen neuen machen: leitstand plan PATH...
       *[other] leitstand jobs show { $job }
    }
problem-empty-folder = in { $path } ist nichts zum Auswerten
    .why = jede Datei darin beginnt mit einem Punkt
    .do = Dateien übergeben oder einen Ordner, der welche enthält
problem-not-a-file = { $name } ist keine gewöhnliche Datei
    .why = eine Pipe oder ein Gerät hat kein Ende, auf das man warten kann
    .do = vorher in eine Datei schreiben
problem-unwritable-path = { $path } lässt sich nicht schreiben
    .why = { $detail }
    .do = mit --out einen anderen Ordner nennen oder die Rechte prüfen
problem-no-report-file = { $path } wird nicht ersetzt
    .why = die Datei ist keine Auswertung von Leitstand
    .do = mit --out einen anderen Ordner nennen oder die Datei woandershin legen
problem-report-unwritten = die Auswertung von { $job } ist nicht geschrieben: { $path } lässt sich nicht schreiben
    .why = { $detail }; verloren ist nichts, Leitstand hat sie noch
    .do = leitstand jobs report { $job } --out DIR
problem-folder-unusable = { $folder } ist nicht zu gebrauchen
    .why = { $detail }
    .do = Besitzer und Rechte prüfen oder LEITSTAND_HOME auf einen anderen Ordner setzen
problem-no-address-to-dial = es ist nicht eingestellt, was ein Worker anwählt
    .why = die Regeln lassen einen Weg offen, den zu worker.advertise_url
    .do = worker.advertise_url in leitstand.toml setzen
problem-address-unknown = der Name in { $url } hat keine Adresse
    .why = Regeln enthalten Adressen: Wer nach Namen fragen darf, kann mit ihnen Daten hinaustragen
    .do = worker.advertise_url und den Nameserver dieser Maschine prüfen
problem-not-a-network = das ist kein Netz: { $detail }
    .do = --admin 198.51.100.0/24
problem-plane-waits = der Leitstand kann nichts schreiben: { $detail }
    .why = was jetzt gefunden wird, ließe sich nicht aufbewahren; der Auftrag wartet
    .do = Platz schaffen oder die Datenbank richten, dann geht es von selbst weiter; zweimal Strg-C beendet seine Instanzen
problem-hold-not-kept = { $job } ist noch nicht angehalten: { $detail }
    .why = der Leitstand kann es nicht festhalten
    .do = Platz schaffen, dann wird angehalten; Strg-C noch einmal beendet die Instanzen sofort
problem-not-taken-back = { $count ->
        [one] eine abgelegte Datei ist nicht gelöscht ({ $medium })
       *[other] { $count } abgelegte Dateien sind nicht gelöscht (eine ist { $medium })
    }
    .why = { $detail }
    .do = leitstand media erase { $medium }; leitstand media zeigt alle. Ihre Frist löscht sie ohnehin
problem-disk-full = kein Platz mehr{ $path ->
        [none] {""}
       *[other] {" "}für { $path }
    }
    .do = Platz schaffen und denselben Befehl wiederholen
problem-models-missing = es fehlen Modelle: { $families }
    .do = leitstand models pull, oder --yes angeben
problem-declined-models = nichts wurde begonnen: die Modelle wurden nicht geladen
    .do = leitstand models pull
problem-no-models = kein Modell ist hier, das sich prüfen ließe
    .do = leitstand models pull
problem-no-offer-chosen = kein Angebot darf diese Arbeit übernehmen
    .why = { $seen ->
        [0] kein Anbieter bietet gerade etwas an
       *[other] von { $seen } Angeboten scheiterten: { $why }
    }
    .do = leitstand offers zeigt, was es gibt
problem-boot-python = für Python { $given } gibt es keinen Worker
    .why = bekannt: { $known }
    .do = ein Image mit einem davon wählen
problem-no-image-builder = hier baut nichts Images
    .why = gesucht: { $names }
    .do = eines installieren, zum Beispiel: apt install podman
problem-image-name = { $given } ist kein Name eines Images
    .do = so nennen, wie die Registry es will, in kleinen Buchstaben: registry.example/worker
problem-image-base = { $given } nennt nicht durch einen Digest, was es ist
    .why = ein Tag kann verschoben werden, und das Image mit ihm
    .do = den Digest nachsehen und anhängen: docker.io/library/ubuntu:22.04@sha256:…
problem-image-failed = das Image konnte nicht gebaut oder hochgeladen werden
    .why = { $detail }
    .do = das Netz prüfen, und ob dieser Benutzer die Engine benutzen darf; zum Hochladen mit dem Login der Engine bei der Registry anmelden
problem-boot-bundle-failed = die Dateien des Workers ließen sich nicht zusammenstellen
    .why = { $detail }
    .do = Netz und Einstellungen von pip prüfen, dann noch einmal: leitstand images bundle
problem-not-reachable = nichts wurde gemietet: eine gemietete Maschine könnte { $url } nicht erreichen
    .why = { $why ->
        [loopback] diese Adresse meint auf jeder Maschine sie selbst
        [private] diese Adresse gibt es nur in Ihrem eigenen Netz
        [unresolvable] dieser Name hat keine Adresse
        [http] Worker sprechen nur https
       *[other] { $why }
    }
    .do = worker.advertise_url eine https-Adresse geben, die das Internet erreicht: ein kleiner Server, auf dem Leitstand läuft, ein Port, den der Router an diesen Rechner weiterleitet, ein umgekehrter Tunnel über einen eigenen Host (ssh -R) oder der öffentliche Zugang eines Mesh-VPN. TLS muss hier enden, nicht unterwegs
problem-too-dear = nichts gestartet: kein Angebot kostet so wenig, wie es darf
    .why = das günstigste braucht { $needs_eur }, mit Reserve für langsamere Arbeit; frei sind { $left_eur }
    .do = --max-cost erhöhen, oder das Budget in leitstand.toml
problem-no-report = { $job } hat keine Auswertung
    .why = Zustand: { $state }
    .do = leitstand jobs show { $job }
problem-not-erased = nichts wurde gelöscht
problem-nothing-stored = { $medium } hat keine abgelegten Dateien
    .do = leitstand media show { $medium }
problem-medium-failed = { $name } ließ sich nicht auswerten
    .do = leitstand doctor
problem-job-failed = { $job } ist gescheitert
    .do = leitstand jobs show { $job }
problem-bad-answer = der Leitstand gab eine Antwort ohne Sinn ({ $status } bei { $path })
    .do = auf beiden Seiten dieselbe Version installieren
problem-unknown-variable = keine Einstellung heißt „{ $given }“
    .do = diese Umgebungsvariable berichtigen oder entfernen
problem-bad-variable = { $name }: { $detail }
    .do = diese Umgebungsvariable berichtigen oder entfernen
cli-no-volumes = Es wird kein Volume gehalten. providers.runpod.volumes richtet eines ein.
cli-volume-intended = wird angelegt
cli-volume-ready = gehalten
cli-volume-deleting = wird gelöscht
cli-volume-deleted = weg
cli-volume-other = { $provider } berechnet { $gb } GB für { $name }, das eine andere Installation angelegt hat. Von hier aus bleibt es unberührt; brauchen Sie es nicht mehr, löschen Sie es in der Konsole des Anbieters.
cli-volume-ask = { $name } löschen? { $gb } GB, { $price } am Tag; seine Modelle würden neu geholt. [j/N]
cli-volume-deleting-now = { $name } wird gelöscht. Es gilt als vorhanden und wird gebucht, bis der Anbieter es nicht mehr aufführt.
cli-launched-from = { $modality } startet aus { $image }, nach der Startvorgabe { $digest }: { $disk } Platte, { $vram } VRAM, CUDA { $cuda }, { $models ->
    [one] 1 Modell
   *[other] { $models } Modelle
}.
cli-launch-spec-changed = Einstellungen oder Bündel haben sich seither geändert: ein Start wäre jetzt nach { $digest }.
cli-prepay-covers = { $amount } bezahlen { $time } zu { $price } die Stunde. Die Instanz endet von selbst in { $term }, was auch bezahlt ist.
cli-prepay-discount = { $provider } gibt dafür Nachlass, höchstens { $most } für Monate und so gut wie keinen für Stunden; welchen, sagt er nach der Zahlung.
cli-prepay-loses = Endet die Instanz, bevor es aufgebraucht ist, wird der Nachlass zurückgenommen und { $fee } des Rests einbehalten: jetzt höchstens { $most }. Am Ende ihrer Frist wären { $unused } unverbraucht und davon { $then } einbehalten.
cli-prepay-ask = { $amount } im Voraus bezahlen? [j/N]
cli-prepaid-head = Bezahlt
cli-prepaid = { $known ->
    [True] { $amount } für { $instance }: { $months } Monate, { $discount } Nachlass
   *[other] { $amount } für { $instance }; welchen Nachlass, hat der Anbieter nicht gesagt
}
cli-reap-volume = hält { $gb } GB als { $name }, für { $price } am Tag, bis es gelöscht ist{ $all ->
    [True] .
   *[other] : leitstand volumes delete { $name }, oder leitstand reap --all
}
cli-reap-ask-volumes = { $count ->
    [one] Auch dieses Volume löschen?
   *[other] Auch diese { $count } Volumes löschen?
} [j/N]
