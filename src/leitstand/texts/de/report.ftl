# Die Auswertung: ihre Sätze, ihre Überschriften, und was sie nicht weiß.

## Zusammenfassung. Jede Nachricht dieser Gruppe nennt Belege.

sum-persons = { $form ->
        [same] { $high ->
            [one] Zu jeder Zeit ist eine Person im Bild.
           *[other] Zu jeder Zeit sind { $high } Personen im Bild.
        }
        [none] { $high ->
            [one] Es ist höchstens eine Person zugleich im Bild, im Mittel { $mean }.
           *[other] Es sind bis zu { $high } Personen zugleich im Bild, im Mittel { $mean }.
        }
       *[range] Zu jeder Zeit sind { $low } bis { $high } Personen im Bild, im Mittel { $mean }.
    }
sum-persons-unfollowed = { $high ->
        [one] Eine Person zugleich ist
       *[other] Bis zu { $high } Personen zugleich sind
    } in { $frames ->
        [one] dem einzigen betrachteten Einzelbild
       *[other] { $peopled } von { $frames } betrachteten Einzelbildern
    } zu sehen; von Einzelbild zu Einzelbild ließ sich niemand verfolgen.
sum-no-person = Keine Person wurde gesehen.
sum-track = { $move ->
        [left-right] Eine Person (Spur { $number }) geht zwischen { $start } und { $end } von links nach rechts
        [right-left] Eine Person (Spur { $number }) geht zwischen { $start } und { $end } von rechts nach links
        [nearer] Eine Person (Spur { $number }) kommt zwischen { $start } und { $end } näher
        [away] Eine Person (Spur { $number }) entfernt sich zwischen { $start } und { $end }
        [left] Eine Person (Spur { $number }) bleibt zwischen { $start } und { $end } im linken Teil des Bildes
        [right] Eine Person (Spur { $number }) bleibt zwischen { $start } und { $end } im rechten Teil des Bildes
        [middle] Eine Person (Spur { $number }) bleibt zwischen { $start } und { $end } in der Mitte des Bildes
       *[unknown] Eine Person (Spur { $number }) ist zwischen { $start } und { $end } zu sehen
    }{ $nearest ->
        [yes] , näher an der Kamera als alle anderen.
       *[no] .
    }
sum-things = Außerdem durch das Video verfolgt{ $count ->
        [one] {""}
       *[other] , auf { $count } Spuren, von denen mehrere dasselbe Ding sein können
    }: { $things }.
sum-faces-video = { $count ->
        [one] Ein Gesicht wurde auf einer Spur verfolgt; niemand wurde identifiziert.
       *[other] Gesichter wurden auf { $count } Spuren verfolgt, von denen mehrere dieselbe Person sein können; niemand wurde identifiziert.
    }
sum-poses-video = { $count ->
        [one] Die Haltung wurde auf einer Spur verfolgt.
       *[other] Die Haltung wurde auf { $count } Spuren verfolgt, von denen mehrere dieselbe Person sein können.
    }
sum-objects = Im Bild erkannt: { $things }.
sum-nothing = Nichts, was die Modelle kennen, wurde im Bild erkannt.
sum-faces = { $count ->
        [one] Ein Gesicht ist sichtbar; niemand wurde identifiziert.
       *[other] { $count } Gesichter sind sichtbar; niemand wurde identifiziert.
    }
sum-poses = { $count ->
        [one] Die Haltung einer Person wurde geschätzt.
       *[other] Die Haltung von { $count } Personen wurde geschätzt.
    }
sum-mask = Personen bedecken { $share } des Bildes.
sum-scene = Ein Modell nennt die Szene „{ $label }“ ({ $score }).
sum-surroundings = { $light ->
        [day] { $place ->
            [indoor] Es ist Tag, in einem Raum
            [outdoor] Es ist Tag, im Freien
           *[none] Es ist Tag
        }
        [night] { $place ->
            [indoor] Es ist Nacht, in einem Raum
            [outdoor] Es ist Nacht, im Freien
           *[none] Es ist Nacht
        }
       *[none] { $place ->
            [indoor] Es ist in einem Raum
            [outdoor] Es ist im Freien
           *[none] Die Umgebung ist nicht klar
        }
    }{ $by ->
        [rule] , nach einer Regel.
       *[model] , nach einem Modell.
    }
sum-conflict-scene = Eine Quelle sagt { $first ->
        [indoor] im Raum
        [outdoor] im Freien
        [day] Tag
        [night] Nacht
       *[other] { $first }
    }, eine andere { $second ->
        [indoor] im Raum
        [outdoor] im Freien
        [day] Tag
        [night] Nacht
       *[other] { $second }
    }. Beides bleibt stehen.
sum-conflict-time = Die Datei nennt { $time } Uhr, das Licht spricht für { $light ->
        [day] Tag
        [night] Nacht
       *[other] { $light }
    }. Beides bleibt stehen.
sum-speech = Gesprochen wird { $times ->
        [one] einmal
       *[other] { $times }-mal
    }, zusammen { $length }, auf { $language } ({ $words ->
        [one] ein Wort
       *[other] { $words } Wörter
    }).
sum-no-words = Eine Stimme scheint insgesamt { $length } lang zu sprechen; kein Wort davon wurde erkannt.
sum-no-speech = Es war keine Sprache zu hören.

## Eine Zeile zu einer Datei

head-tracks = { $tracks ->
        [0] keine Person
        [one] eine Spur, im Mittel { $mean } Personen
       *[other] { $tracks } Spuren, im Mittel { $mean } Personen
    }
head-unfollowed = { $high ->
        [one] eine Person, nicht verfolgt
       *[other] bis zu { $high } Personen, nicht verfolgt
    }
head-faces = { $faces ->
        [one] ein Gesicht
       *[other] { $faces } Gesichter
    }
head-face-tracks = { $tracks ->
        [one] ein Gesicht auf einer Spur
       *[other] Gesichter auf { $tracks } Spuren
    }
head-surroundings = { $place ->
        [indoor] im Raum
        [outdoor] im Freien
       *[none] {""}
    }{ $light ->
        [none] {""}
       *[other] { $place ->
            [none] {""}
           *[other] {", "}
        }
    }{ $light ->
        [day] Tag
        [night] Nacht
       *[none] {""}
    }
head-words = { $words ->
        [one] ein Wort
       *[other] { $words } Wörter
    }, { $language }
head-no-words = eine Stimme, keine Worte
head-no-speech = keine Sprache
head-nothing = nichts erkannt

## Was nicht bekannt ist

unknown-failed = { $named ->
        [yes] { $what }.
       *[no] { $name }: { $what }.
    }
unknown-gap = { $name ->
        [none] {""}
       *[other] { $name }:{" "}
    }{ $start } bis { $end } { $stream ->
        [video] des Bildes
        [audio] des Tons
       *[other] {""}
    } war { $reason }; dort { $stream ->
        [audio] können Worte
       *[other] kann eine Person
    } fehlen.
unknown-gap-image = { $name ->
        [none] Das Bild
       *[other] { $name }
    }: { $reason }; eine Person kann darin fehlen.
unknown-further-pictures = { $name ->
        [none] {""}
       *[other] { $name }:{" "}
    }1 von { $count } Bildern der Datei wurde betrachtet, das erste. Was die anderen zeigen, ist nicht bekannt.
unknown-stream = { $stream ->
        [audio] Der Ton{ $name ->
            [none] {""}
           *[other] {" "}von { $name }
        } wurde nicht ausgewertet.
        [video] Die Bilder{ $name ->
            [none] {""}
           *[other] {" "}von { $name }
        } wurden nicht ausgewertet.
       *[other] { $name ->
            [none] Die Datei
           *[other] { $name }
        } wurde nicht ausgewertet.
    }
unknown-words = { $count ->
        [one] Ein Wort{ $name ->
            [none] {""}
           *[other] {" "}in { $name }
        } wurde mit weniger als { $limit } Sicherheit gehört; es ist gepunktet.
       *[other] { $count } Wörter{ $name ->
            [none] {""}
           *[other] {" "}in { $name }
        } wurden mit weniger als { $limit } Sicherheit gehört; sie sind gepunktet.
    }
unknown-model = Nicht gesucht: { $what }. Dafür war kein Modell da.
unknown-unblurred = Kein Bild wird gezeigt: ohne ein Modell für Personen und eines für Gesichter ließe sich niemand darin unkenntlich machen.
unknown-missed = Ein Detektor übersieht Personen und Dinge und sieht manche, die nicht da sind; wie viele, ist an diesem Material nicht gemessen.
unknown-rules = Raum, Freien, Tag und Nacht folgen Regeln über Helligkeit und Gegenstände; kein Modell hat sie befunden.
unknown-pictures = { $shown } von { $of } Bildern sind in dieser Datei, damit sie klein genug zum Versenden bleibt.
unknown-never = Niemand wurde identifiziert; Stimmung, Alter und Absicht wurden nicht untersucht.

gap-unreadable = nicht lesbar
gap-truncated = nicht lesbar, die Datei endet zu früh
gap-image-truncated = abgeschnitten oder beschädigt, { $share ->
        [none] wie viel davon lesbar war, ist nicht bekannt
       *[other] mindestens { $share } davon waren lesbar
    }
gap-no-frames = ohne ein dekodierbares Bild
gap-no-sound = ohne dekodierbaren Ton
gap-cannot-be-cut = nicht ausgewertet, weil nicht in Abschnitte zu schneiden
gap-not-analysed = nicht ausgewertet
gap-decoder-failed = nicht dekodierbar
gap-decoder-limit = innerhalb der Grenzen nicht dekodierbar
gap-timeout = beim Dekodieren zu langsam
gap-other = nicht da ({ $code })

family-detector = Personen und Dinge
family-face = Gesichter
family-pose = Haltung
family-scene = Art der Szene
family-silhouette = Fläche, die Personen bedecken
family-voice = wann jemand spricht
family-speech = was gesagt wird

## Was nicht versprochen wird

promise-n1 = Unterhalb von Stufe A kann ein Wirt mit Root-Rechten Medien lesen, während sie verarbeitet werden, unbemerkt.
promise-n2 = Löschen bei einem Anbieter ist eine bestätigte Bitte; niemand kann beweisen, dass ein Wirt keine Kopie behielt.
promise-n3 = Attestierung umfasst keine körperlichen Angriffe auf den Speicherbus (TEE.fail, 2025).
promise-n4 = Regionsangaben sind die Aussage des Anbieters.
promise-n5 = Python kann nicht zusichern, dass Speicher überschrieben wird.
promise-n6 = Die Nutzung dieser Software macht keine Verwendung rechtmäßig.

## Überschriften und Beschriftungen der Seite

report-title = Auswertung { $id }
report-skip = Zu dem, was gefunden wurde
report-media-count = { $count ->
        [one] Eine Datei
       *[other] { $count } Dateien
    }
report-about-image = Ein Bild, ausgewertet am { $date }, { $time }.
report-about-video = Ein Video von { $length }, ausgewertet am { $date }, { $time }.
report-about-audio = Eine Tonaufnahme von { $length }, ausgewertet am { $date }, { $time }.
report-about-many = { $count } Dateien ({ $kinds }), ausgewertet am { $date }, { $time }.
report-about-none = Nichts war auswertbar; geschrieben am { $date }, { $time }.
report-case = Fall { $title }.
report-images = { $count ->
        [one] ein Bild
       *[other] { $count } Bilder
    }
report-videos = { $count ->
        [one] ein Video
       *[other] { $count } Videos
    }
report-audios = { $count ->
        [one] eine Tonaufnahme
       *[other] { $count } Tonaufnahmen
    }
report-unreadables = { $count ->
        [one] eine unlesbar
       *[other] { $count } unlesbar
    }
report-period = { $start } bis { $end } UTC
report-moment = { $at } UTC
report-machine-made = Maschinell erstellt.
report-machine-made-text = Jeder Satz nennt seine Belege. Niemand wurde identifiziert. Ein Mensch muss prüfen, bevor etwas darauf gestützt wird.
report-found = Was gefunden wurde
report-picture-alt = Bild bei { $time } mit { $boxes ->
        [one] einem markierten Rahmen
       *[other] { $boxes } markierten Rahmen
    }
report-picture-still-alt = Das Bild mit { $boxes ->
        [one] einem markierten Rahmen
       *[other] { $boxes } markierten Rahmen
    }
report-picture-caption = Beleg { $number }: Bild bei { $time }
report-picture-caption-track = Beleg { $number }: Spur { $track } bei { $time }
report-picture-caption-still = Beleg { $number }: das Bild
report-course = Verlauf
report-course-text = Dasselbe als Text: Personen je Zeitpunkt, Spuren, Sprache und Lücken von { $name }
report-persons = Personen
report-tracks = Spuren
report-track = Spur
report-tracks-more = { $shown } von { $of }
report-speech = Sprache
report-gap = Lücke
report-gap-mark = { $length } { $reason }
report-spoken = Gesprochen
report-find = Wort suchen
report-found-words = { $count ->
        [0] nicht gefunden
        [one] eine Stelle
       *[other] { $count } Stellen
    }
report-at = Bei
report-said = Wortlaut
report-certainty = Sicherheit
report-not-known = Was nicht bekannt ist
report-origin = Herkunft
report-file = Datei
report-models = Modelle
report-machine = Rechner
report-costs = Kosten
report-costs-line = { $total } gebucht bis { $until } UTC, { $reserved } noch vorgemerkt für Auftrag { $job }; was seine Instanzen danach kosten, wird später gebucht
report-ledger = Protokoll
report-ledger-line = { $size } Einträge, Kopf { $root }
report-inputs = Gemacht aus
report-measured = Gemessen
report-measured-pose = { $rate } Haltungen in der Sekunde
report-machine-line = { $id }, { $what }, Stufe { $tier }
report-media = Dateien
report-name = Name
report-kind = Art
report-kind-image = Bild
report-kind-video = Video
report-kind-audio = Ton
report-kind-none = unbekannt
report-state = Zustand
report-state-done = fertig
report-state-partial = fertig, mit Lücken
report-state-failed = gescheitert
report-result = Ergebnis
report-evidence = Belege
report-evidence-number = Nr.
report-evidence-what = Was gesehen wurde
report-evidence-when = Wann oder wo
report-evidence-score = Wert
report-evidence-by = Durch
report-by-rule = Regel { $name }
report-by-track = { $model }, ByteTrack
report-frames = { $count ->
        [one] ein Einzelbild
       *[other] { $count } Einzelbilder
    }
report-box = Rahmen { $x0 }, { $y0 } bis { $x1 }, { $y1 }
report-rests-on = beruht auf
report-kind-of-object = { $label }
report-kind-of-face = Gesicht
report-kind-of-pose = Haltung
report-kind-of-mask = Fläche: { $label }
report-kind-of-scene-label = Szene: „{ $label }“
report-kind-of-scene-place = { $label ->
        [indoor] im Raum
        [outdoor] im Freien
       *[other] { $label }
    }
report-kind-of-scene-light = { $label ->
        [day] Tag
        [night] Nacht
       *[other] { $label }
    }
report-kind-of-track = Spur { $number }: { $label }
report-kind-of-speech = „{ $text }“
report-kind-of-picture = Bild
report-kind-of-person-count = Personen: { $low } bis { $high }, im Mittel { $mean }
report-kind-of-no-person = keine Person in { $frames } Einzelbildern
report-kind-of-speech-total = Sprache: { $times ->
        [one] einmal
       *[other] { $times }-mal
    }
report-kind-of-no-words = eine Stimme ohne erkannte Worte
report-kind-of-no-speech = keine Sprache
report-kind-of-nothing-recognised = nichts erkannt
report-kind-of-file-time = Zeit in der Datei: { $text }
report-kind-of-other = { $label }
report-steps = Schritte
report-steps-caption = Jeder Versuch der Reihe nach, mit der Zeit jedes Abschnitts der Arbeit
report-step = Schritt
report-step-from = Von (UTC)
report-step-took = Dauer
report-step-where = Instanz
report-step-outcome = Ausgang
report-step-stages = Teilzeiten
report-outcome-done = fertig
report-outcome-failed = gescheitert
report-outcome-lost = verloren
report-outcome-held = angehalten
report-outcome-fenced = ausgesperrt
report-outcome-live = läuft
report-pipeline-image = Bilder
report-pipeline-video = Video
report-pipeline-audio = Ton
report-pipeline-intake = Annahme
report-pipeline-fuse = Auswertung
report-models-caption = Modelle nach Familie, mit der Prüfsumme, die ihre Dateien bindet
report-family = Familie
report-version = Fassung
report-digest = SHA-256
report-licence = Lizenz
report-costs-caption = Was gebucht wurde, nach Instanz
report-from = Von (UTC)
report-to = Bis (UTC)
report-amount = Betrag
report-total = Summe
report-facts = Angaben zu den Dateien
report-fact = Angabe
report-value = Wert
report-promises = Was nicht versprochen wird
report-foot = Unterhalb von Stufe A kann, wer den Rechner verwaltet, Medien während der Verarbeitung lesen.
report-page = Seite
report-page-of = von
report-stage-fetch = holen
report-stage-decode = dekodieren
report-stage-infer = rechnen
report-stage-write = schreiben
report-stage-wait = warten
report-evidence-more = { $shown } von { $of } Befunden stehen hier, darunter alle, die ein Satz nennt; alle stehen in report.json.
report-facts-more = { $count } weitere in report.json
report-more-pictures = Weitere Bilder
