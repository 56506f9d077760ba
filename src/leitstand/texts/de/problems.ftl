# Was schiefging, warum, und was zu tun ist. Der Code steht in `leitstand.core.problem.Problem`; die
# Zeile selbst sagt, was geschah, und steht hinter „Fehler: “. Ein leeres Attribut entfällt.

problem-unnamed = etwas ist gescheitert, wofür es noch keine Worte gibt ({ $code })
    .why = das ist ein Fehler in Leitstand, nicht in Ihrer Eingabe
    .do = leitstand doctor
problem-unexpected = Leitstand ist gescheitert, wo es nicht sollte ({ $kind })
    .why = das ist ein Fehler in Leitstand, nicht in Ihrer Eingabe
    .do = mit LEITSTAND_DEBUG=1 wiederholen und melden, was ausgegeben wird

## Medien

problem-empty-file = { $name } enthält nichts zum Auswerten: die Datei ist leer (0 Byte)
problem-playlist = { $name } wurde nicht angenommen: die Datei ist eine Wiedergabeliste, kein Video
    .why = sie nennt { $files ->
        [one] eine andere Datei
       *[other] { $files } andere Dateien
    }; Leitstand öffnet nur, was Sie ihm geben
    .do = die genannten Dateien übergeben
problem-encrypted-file = { $name } wurde nicht angenommen: die Datei ist verschlüsselt
    .why = Leitstand hat keinen Schlüssel dafür
    .do = vorher entschlüsseln
problem-not-media = { $name } wurde nicht angenommen: kein Bild, kein Video, kein Ton
    .why = der Inhalt ist { $found }
    .do = ein Bild, ein Video oder eine Tonaufnahme übergeben
problem-no-frames = { $name } enthält nichts zum Auswerten: das Video hat kein einziges Bild
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-no-sound = { $name } enthält nichts zum Auswerten: es ist kein Ton darin
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-unreadable-media = { $name } war nicht lesbar: { $detail }
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-too-many-pixels = { $name } wurde nicht angenommen: { $pixels } Bildpunkte
    .why = höchstens { $limit } werden dekodiert, damit keine Datei den Speicher füllt
    .do = eine kleinere Kopie anlegen
problem-too-long = { $name } wurde nicht angenommen: { $length } lang
    .why = höchstens { $limit } werden auf einmal genommen
    .do = in Teile schneiden
problem-too-big = { $name } wurde nicht angenommen: { $size }
    .why = höchstens { $limit } werden genommen
    .do = eine kleinere Kopie anlegen
problem-truncated = { $name } endet mittendrin: { $read } von { $total } Abschnitten gelesen
    .why = die Datei ist kürzer, als ihr Verzeichnis sagt
    .do = neu kopieren; die Auswertung der { $read } Abschnitte bleibt, mit markierter Lücke
problem-vanished = { $name } ist verschwunden
    .why = die Datei war zu Beginn da und lässt sich jetzt nicht öffnen
    .do = zurücklegen und denselben Befehl wiederholen
problem-not-found = { $path } gibt es nicht
    .do = den Pfad prüfen
problem-unreadable-path = { $path } lässt sich nicht lesen
    .why = { $detail }
    .do = die Zugriffsrechte prüfen
problem-no-files = in { $path } ist nichts zum Auswerten
    .why = keine Datei darin ist ein Bild, ein Video oder eine Tonaufnahme
    .do = Dateien übergeben oder einen Ordner, der welche enthält
problem-too-many-files = { $count } Dateien sind zu viel für einen Auftrag
    .why = ein Auftrag nimmt höchstens { $limit }
    .do = in Teilen übergeben

## Was verlangt wurde

problem-unknown-language = keine Sprache „{ $given }“
    .do = { $known }
problem-unknown-profile = kein Profil „{ $given }“
    .do = { $known }{ $near ->
        [none] {""}
       *[other] {" "}(meinten Sie { $near }?)
    }
problem-bad-amount = { $option } „{ $given }“ ist kein Betrag
    .do = { $option } 4,50
problem-bad-time = { $option } „{ $given }“ ist keine Zeit
    .do = { $option } 18:00, oder: tomorrow 6:00, in 3h, 2026-11-24T06:00
problem-bad-class = { $option } „{ $given }“ ist keine Schutzklasse
    .do = 0 künstlich, 1 ohne Personen, 2 Personen, 3 biometrisch, Minderjährige, intim oder geschützt
problem-not-asked = eine Frage braucht eine Antwort, und niemand ist da, der sie gibt
    .why = die Eingabe ist kein Terminal, und --yes fehlt
    .do = --yes angeben, und --max-cost als Grenze der Kosten
problem-declined = nichts wurde gemietet oder vorgemerkt
    .do = leitstand plan zeigt, was es sonst gibt
problem-missing-extra = dafür fehlt die Zugabe [{ $extra }]
    .why = { $missing } ist nicht installiert
    .do = pip install "leitstand[{ $extra }]"

## Plan, Geld, Zugang

problem-no-offer = kein Angebot darf diese Arbeit übernehmen{ $by ->
        [none] {""}
       *[other] {" "}und bis { $by } fertig sein
    }
    .why = { $why }
    .do = { $do }
problem-no-provider = kein Anbieter „{ $given }“
    .do = { $known }
problem-budget = nicht gestartet, das Budget von { $scope } reicht nicht
    .why = { $needed } müssten vorgemerkt werden; { $free } von { $allowed } sind frei
    .do = das Budget erhöhen oder weniger verlangen
problem-max-cost = nicht gestartet: es kann { $worst } kosten, erlaubt sind { $limit }
    .do = --max-cost auf { $worst } erhöhen oder weniger verlangen
problem-gate = { $capability } ist für { $case } nicht freigegeben
    .do = die Freigabe beantragen; jemand anders entscheidet dann
problem-denied = Sie dürfen das nicht
    .why = es braucht die Rolle { $role }
    .do = einen Administrator darum bitten
problem-stale = { $subject } hat sich inzwischen geändert; nichts wurde getan
    .do = noch einmal ansehen, dann wiederholen
problem-unknown-id = nichts heißt hier „{ $given }“
    .do = auflisten, was es gibt, zum Beispiel: leitstand jobs
problem-ambiguous-id = „{ $given }“ ist das Ende von { $count } Kennungen
    .do = mehr vom Ende angeben: { $candidates }
problem-erased = { $subject } wurde gelöscht
    .why = der Schlüssel ist vernichtet; Löschbeleg { $receipt }

## Erreichbarkeit

problem-unreachable = der Leitstand auf { $where } antwortet nicht ({ $tries ->
        [one] ein Versuch
       *[other] { $tries } Versuche
    }, { $detail })
    .do = leitstand doctor; was dort läuft, läuft ohne Sie weiter
problem-not-started = der Leitstand auf diesem Rechner ist nicht gestartet
    .why = { $detail }
    .do = leitstand doctor
problem-locked = ein anderer Leitstand benutzt schon { $path }
    .why = zwei auf einem Zustandsordner würden einander die Arbeit zerstören
    .do = den anderen beenden oder LEITSTAND_HOME auf einen anderen Ordner setzen
problem-address-in-use = { $address } ist von einem anderen Programm belegt
    .do = einen anderen Port wählen oder jenes Programm beenden
problem-old-client = der Leitstand auf { $where } spricht Version { $theirs }, dieser hier { $ours }
    .do = auf beiden Seiten dieselbe Version installieren

## Zustand auf der Platte

problem-database-newer = die Datenbank { $path } ist neuer als dieses Programm
    .why = eine spätere Version hat sie geschrieben (Stand { $found })
    .do = jene Version installieren; nichts wurde geändert
problem-no-space = auf { $path } ist kein Platz mehr
    .why = { $needed } werden gebraucht, { $free } sind frei
    .do = Platz schaffen, dann denselben Befehl wiederholen: er macht dort weiter
problem-bad-setting = { $file }, Zeile { $line }: { $detail }
    .do = diese Zeile berichtigen
problem-unknown-setting = { $file }, Zeile { $line }: keine Einstellung „{ $given }“
    .do = diese Zeile berichtigen oder entfernen
problem-bad-secret = das Geheimnis in { $path } ist nicht verwendbar
    .why = { $detail }
problem-ledger-broken = das Protokoll hält der Prüfung nicht stand: { $detail }
    .why = ein Eintrag wurde nach der Unterschrift geändert, entfernt oder verschoben
    .do = Einträge ab dort sind nicht bewiesen; das Protokoll aus einer Sicherung zurückholen

## Modelle

problem-model-missing = für { $family } ist kein Modell hier
    .do = leitstand models pull
problem-unknown-model = kein Modell „{ $given }“
    .do = leitstand models list
problem-model-digest = das Modell { $name } ist nicht das unterschriebene
    .why = { $file } hat die Prüfsumme { $found }, nicht { $expected }
    .do = leitstand models pull { $name }, nachdem geklärt ist, wer es geändert hat
problem-model-source = { $name } war von { $source } nicht zu holen
    .why = { $detail }
    .do = das Netz prüfen, dann: leitstand models pull { $name }

## Wie ein Auftrag, eine Instanz oder ein Versuch endete

problem-cancelled = abgebrochen von { $by }
problem-worker-lost = die Instanz ging { $times ->
        [one] einmal
       *[other] { $times }-mal
    } verloren
    .do = denselben Befehl wiederholen: gesicherte Abschnitte bleiben
problem-attempts-exhausted = nach { $attempts } Versuchen aufgegeben
    .why = der letzte endete mit: { $last }
    .do = leitstand jobs show { $job }
problem-decoder-failed = der Decoder ist an dieser Datei gescheitert
    .why = { $detail }
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-decoder-limit = der Decoder hat seine Grenze von { $limit } erreicht
    .why = was mehr braucht, wird nicht dekodiert, damit es diesen Rechner nicht füllt
    .do = eine kleinere Kopie anlegen
problem-admission = die Instanz wurde nicht zugelassen: { $reasons }
    .do = leitstand doctor
problem-sandbox = dieser Rechner kann den Decoder nicht einschließen: { $missing } fehlt
    .why = Dateien werden nur geöffnet, wo eine feindliche keinen Schaden anrichtet
    .do = einen neueren Kernel oder einen anderen Rechner nehmen
