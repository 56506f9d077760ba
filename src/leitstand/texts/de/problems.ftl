# Was schiefging, warum, und was zu tun ist. Der Code steht in `leitstand.core.problem.Problem`; die
# Zeile selbst sagt, was geschah, und steht hinter „Fehler: “. Ein leeres Attribut entfällt.

problem-unnamed = etwas ist gescheitert, wofür es noch keine Worte gibt ({ $code })
    .why = das ist ein Fehler in Leitstand, nicht in Ihrer Eingabe
    .do = leitstand doctor
problem-unexpected = Leitstand ist gescheitert, wo es nicht sollte ({ $kind })
    .why = das ist ein Fehler in Leitstand, nicht in Ihrer Eingabe
    .do = mit LEITSTAND_DEBUG=1 wiederholen und melden, was ausgegeben wird

## Medien

problem-playlist = { $name } wurde nicht angenommen: die Datei ist eine Wiedergabeliste, kein Video
    .why = sie nennt { $entries ->
        [one] eine andere Datei
       *[other] { $entries } andere Dateien
    }; Leitstand öffnet nur, was Sie ihm geben
    .do = die genannten Dateien übergeben
problem-encrypted-file = { $name } wurde nicht angenommen: die Datei ist verschlüsselt
    .why = { $kind ->
        [drm] sie wurde mit einem Schlüssel verkauft, den Leitstand nicht hat
       *[other] Leitstand hat keinen Schlüssel dafür
    }
    .do = { $kind ->
        [drm] {""}
       *[other] vorher entschlüsseln
    }
problem-not-media = { $name } wurde nicht angenommen: kein Bild, kein Video, kein Ton
    .why = { $kind ->
        [text] die Datei enthält Text
        [code] die Datei enthält Programmtext
        [document] die Datei ist ein Dokument
        [executable] die Datei ist ein Programm
        [application] die Datei gehört zu einem Programm
        [font] die Datei ist eine Schrift
       *[unknown] der Inhalt ist von keiner Art, die Leitstand kennt
    }
    .do = ein Bild, ein Video oder eine Tonaufnahme übergeben
problem-format-unsupported = { $name } wurde nicht angenommen: { $format } ist hier nicht dekodierbar
    .do = umwandeln, zum Beispiel in JPEG oder MP4
problem-no-frames = { $name } enthält nichts zum Auswerten: kein Bild des Videos ist dekodierbar
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-no-sound = { $name } enthält nichts zum Auswerten: kein Ton darin ist dekodierbar
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-unreadable-media = { $name } war nicht lesbar
    .why = die Datei beginnt wie { $format } und folgt diesem Format dann nicht
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-truncated-file = { $name } enthält nichts zum Auswerten: die Datei endet, bevor etwas dekodierbar ist
    .why = nur { $bytes } Byte sind da
    .do = neu kopieren
problem-too-many-pixels = { $name } wurde nicht angenommen: { $width } × { $height } Bildpunkte
    .why = höchstens { $pixels_max } Bildpunkte werden dekodiert, damit keine Datei den Speicher füllt
    .do = eine kleinere Kopie anlegen
problem-image-too-large = { $name } wurde nicht angenommen: { $bytes } Byte
    .why = ein Bild darf höchstens { $bytes_max } Byte haben
    .do = eine kleinere Kopie anlegen
problem-too-long = { $name } wurde nicht angenommen: { $seconds } Sekunden lang
    .why = höchstens { $seconds_max } Sekunden werden auf einmal genommen
    .do = in Teile schneiden
problem-too-many-packets = { $name } wurde nicht angenommen: die Datei ist in mehr als { $packets_max } Stücken
    .why = Medien haben nicht so viele; eine Datei, die Zeit vergeuden soll, schon
    .do = mit einem anderen Programm umwandeln oder in Teile schneiden
problem-cannot-be-cut = { $name } wurde nicht angenommen: der Strom { $stream } lässt sich nicht in Abschnitte schneiden
    .why = er hat { $bytes } Byte, und nur { $bytes_max } gehen in einem Stück
    .do = mit einem Schlüsselbild alle paar Sekunden umwandeln oder in Teile schneiden
problem-intake-died = { $name } wurde nicht angenommen: der Decoder ist daran gescheitert ({ $reason })
    .why = jede Datei wird in einem Prozess mit harten Grenzen geöffnet, und diese hat sie gebrochen
    .do = neu kopieren oder in einem Abspielprogramm prüfen
problem-empty-file = { $name } enthält nichts zum Auswerten: die Datei ist leer (0 Byte)
problem-no-room-for-file = { $name } wurde nicht gespeichert: in { $where } ist kein Platz mehr
    .why = was davon gespeichert war, ist gelöscht
    .do = Platz schaffen, dann noch einmal angeben
problem-ends-in-the-middle = { $name } endet mittendrin: { $read } von { $whole } gelesen
    .why = die Datei ist kürzer, als in ihr steht
    .do = neu kopieren; der Bericht über das Gelesene bleibt, die Lücke ist darin markiert
problem-picture-in-part = { $name } wurde nur teilweise gelesen{ $share ->
        [none] {""}
       *[other] : mindestens { $share } des Bildes sind da
    }
    .why = die Datei ist abgeschnitten oder beschädigt
    .do = neu kopieren; der Bericht über das Gelesene bleibt, die Lücke ist darin markiert
problem-read-in-part = { $name } wurde nur teilweise gelesen: { $gaps ->
        [one] eine Lücke
       *[other] { $gaps } Lücken
    }, zusammen { $missing }
    .why = was dort beschädigt ist, lässt sich nicht dekodieren
    .do = neu kopieren; der Bericht über das Gelesene bleibt, die Lücken sind darin markiert
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

problem-unknown-profile = kein Profil „{ $profile }“
    .do = { $profiles }{ $near ->
        [none] {""}
       *[other] {" "}(meinten Sie { $near }?)
    }
problem-unknown-language = keine Sprache „{ $given }“
    .do = { $known }
problem-bad-amount = { $option } „{ $given }“ ist kein Betrag
    .do = { $option } 4,50
problem-bad-time = { $option } „{ $given }“ ist keine Zeit
    .do = { $option } 18:00, oder: tomorrow 6:00, in 3h, 2026-11-24T06:00
problem-time-past = { $option } „{ $given }“ liegt in der Vergangenheit
    .do = { $option } 18:00, oder: tomorrow 6:00, in 3h
problem-bad-count = { $option } „{ $given }“ ist zu wenig
    .do = { $option } 1 oder mehr, oder weglassen
problem-bad-gib = { $option } „{ $given }“ ist keine Größe eines Speichers
    .do = { $option } 24 für mindestens 24 GiB, oder weglassen
problem-bad-class = { $option } „{ $given }“ ist keine Schutzklasse
    .do = 0 künstlich, 1 ohne Personen, 2 Personen, 3 biometrisch, Minderjährige, intim oder geschützt
problem-not-reaped = { $count ->
    [one] 1 Instanz blieb, wie sie ist
   *[other] { $count } Instanzen blieben, wie sie sind
}
    .do = leitstand reap --yes
problem-reap-left = { $count ->
    [one] 1 Instanz sollte enden und wurde nicht als weg gesehen
   *[other] { $count } Instanzen sollten enden und wurden nicht als weg gesehen
}
    .why = solange nicht zwei Listen ohne sie waren, gilt sie als vorhanden und kann Geld kosten
    .do = noch einmal leitstand reap; dann die Konsole des Anbieters
problem-not-asked = eine Frage braucht eine Antwort, und niemand ist da, der sie gibt
    .why = die Eingabe ist kein Terminal, und --yes fehlt
    .do = --yes angeben{ $bound ->
        [none] {""}
       *[other] , und { $bound } als Grenze der Kosten
    }
problem-declined = nichts wurde gemietet oder vorgemerkt
    .do = leitstand plan zeigt, was es sonst gibt
problem-graphics-library-missing = OpenCV lässt sich nicht laden, also lässt sich kein Bild auswerten
    .why = eine Bibliothek des Systems fehlt ({ $missing })
    .do = apt-get install libgl1 libglib2.0-0
problem-sandbox-lacks = nichts wurde geöffnet: ein Decoder lässt sich auf diesem Rechner nicht abschotten
    .why = { $missing } fehlt, und Dateien öffnet nur ein Prozess, der an nichts anderes herankommt
    .do = Linux ab 5.13 mit Landlock und seccomp, dazu libseccomp2; in einem Container beides erlauben. Dann: leitstand doctor
problem-missing-extra = dafür fehlt die Zugabe [{ $extra }]
    .why = { $missing } ist nicht installiert
    .do = pip install "leitstand[{ $extra }]"

## Plan, Geld, Zugang

problem-no-offer = kein Angebot darf diese Arbeit übernehmen
    .why = { $rejected ->
        [0] kein Anbieter bietet gerade etwas an
        [one] ein Angebot wurde angesehen, und es fiel: { $why }
       *[other] { $rejected } Angebote wurden angesehen, und alle fielen: { $why }
    }
    .do = leitstand plan sagt, warum; warten, den eigenen Rechner nehmen oder weniger verlangen
problem-plan-outdated = nicht gestartet, das Angebot dieses Plans darf nicht mehr genommen werden
    .why = { $rule }: vorhanden { $has }, jetzt nötig { $needs }
    .do = neu planen
problem-ambiguous-id = „{ $given }“ ist das Ende von { $count } Kennungen
    .do = mehr vom Ende angeben: { $candidates }

## Erreichbarkeit

problem-unreachable = der Leitstand auf { $where } antwortet nicht ({ $tries ->
        [one] ein Versuch
       *[other] { $tries } Versuche
    }, { $detail })
    .do = leitstand doctor; was dort läuft, läuft ohne Sie weiter
problem-no-loopback = dieser Rechner erreicht sich selbst nicht unter { $address }
    .why = die Worker hier erreichen den Leitstand unter dieser Adresse; das System sagt: { $detail }
    .do = ip link set lo up; in einem Container oder einer Sandbox die Loopback-Schnittstelle zulassen
problem-cannot-listen = dieser Rechner kann unter { $address } nicht lauschen
    .why = das System sagt: { $detail }
    .do = worker.listen auf eine Adresse dieses Rechners setzen, etwa 127.0.0.1:0, mit einem erlaubten Port; für 127.0.0.1 selbst: ip link set lo up
problem-few-descriptors = mehr als { $limit } Dateien dürfen nicht zugleich offen sein
    .why = der Leitstand braucht { $needed } für Datenbank, Anrufer und Worker
    .do = dort beginnen, wo ulimit -Hn mindestens { $needed } sagt; bei einem Dienst ist es LimitNOFILE
problem-not-started = der Leitstand auf diesem Rechner ist nicht gestartet
    .why = { $detail }
    .do = leitstand doctor

## Zustand auf der Platte

problem-locked = ein anderer Leitstand benutzt schon { $folder }
    .why = zwei auf einem Zustandsordner würden einander die Arbeit zerstören
    .do = den anderen beenden oder LEITSTAND_HOME auf einen anderen Ordner setzen
problem-database-elsewhere = die Datenbank gehört zu einer anderen Installation
    .why = ihr Protokoll ist mit einem Schlüssel unterschrieben, der nicht in { $folder } liegt, und ihre Schlüssel öffnet ein anderer
    .do = den Datenordner nehmen, mit dem diese Datenbank begonnen wurde, oder store.url auf eine andere Datenbank setzen
problem-database-newer = die Datenbank { $path } ist neuer als dieses Programm
    .why = eine spätere Version hat sie geschrieben (Stand { $found })
    .do = jene Version installieren; nichts wurde geändert
problem-no-folder = { $path } ist kein Ordner
    .why = darin sollen Ordner des Leitstands liegen
    .do = anderswohin verschieben oder LEITSTAND_HOME auf einen Ordner setzen
problem-settings-folder = { $file } ist ein Ordner
    .why = die Einstellungen sind eine Datei dieses Namens
    .do = den Ordner anderswohin verschieben; ohne die Datei gelten überall die Vorgaben
problem-settings-encoding = { $file }, Zeile { $line }: kein UTF-8
    .why = die Einstellungen sind Text in UTF-8; diese Datei wurde anders gespeichert
    .do = die Datei als UTF-8 speichern
problem-bad-setting = { $file }, Zeile { $line }: { $detail }
    .do = diese Zeile berichtigen
problem-unknown-setting = { $file }, Zeile { $line }: keine Einstellung „{ $given }“
    .do = diese Zeile berichtigen oder entfernen{ $near ->
        [none] {""}
       *[other] {" "}(meinten Sie { $near }?)
    }

## Modelle

problem-model-missing = eine Datei eines Modells ist nicht hier ({ $sha256 })
    .do = leitstand models pull
problem-model-unknown = kein Modell „{ $model }“
    .do = { $known }
problem-model-digest-wrong = das Modell { $model } ist nicht das aus dem Katalog
    .why = die Prüfsumme weicht ab; es wurde also geändert oder beschädigt
    .do = klären, wer es geändert hat, dann: leitstand models verify; leitstand models pull { $model }
problem-model-changed = das Modell { $model } ist nicht das aus dem Katalog: seine Datei { $file } wurde geändert
    .why = ihre Prüfsumme ist { $actual }, im Katalog steht { $expected }; sie wurde nicht verwendet und liegt als { $kept } im Ordner der Modelle
    .do = klären, wer sie geändert hat, dann: leitstand models pull { $model }
problem-model-source-failed = { $source } war nicht zu holen
    .why = { $detail }
    .do = das Netz prüfen, dann: leitstand models pull
problem-model-too-large = { $source } wurde nicht angenommen: mehr als { $limit } Byte
    .why = der Katalog sagt, wie groß ein Modell ist; mehr wird nicht gelesen
    .do = prüfen, woher die Quelle kommt, dann: leitstand models pull
problem-model-archive-broken = { $source } ist nicht das Paket, das es sein soll
    .why = { $member } fehlt darin oder ist nicht lesbar
    .do = leitstand models pull
problem-model-conversion-differs = das Modell { $model } wurde beim Umwandeln ein anderes als im Katalog
    .why = umgewandelt wurde mit { $libraries }
    .do = die festgelegten Versionen installieren, dann: leitstand models pull { $model }
problem-model-not-convertible = das Modell { $model } lässt sich nicht umwandeln
    .why = { $detail }
    .do = Leitstand neu installieren, dann: leitstand models pull { $model }
problem-model-external-data = das Modell wurde abgelehnt: es nennt andere Dateien
    .why = ein Modell ist eine geprüfte Datei, und was es nennt, wäre nicht geprüft
    .do = ein Modell verwenden, das aus einer Datei besteht
problem-model-signature-unknown = das Modell wurde abgelehnt: Ein- oder Ausgänge sind nicht die seiner Familie
    .why = es hat { $found }
    .do = die Familie wählen, für die es gemacht ist
problem-model-unavailable = das Modell { $model } war für die Instanz nicht zu holen
    .why = der Leitstand antwortete: { $reason }
    .do = leitstand models verify
problem-catalogue-broken = der Katalog der Modelle ist nicht brauchbar
    .why = { $detail }
    .do = Leitstand neu installieren
problem-no-cuda-runtime = auf { $device } kann kein Modell laufen
    .why = die Bibliotheken von CUDA sind nicht installiert
    .do = pip install "leitstand[media]" onnxruntime-gpu, oder den Prozessor nehmen
problem-no-hub-client = Modelle dieses Verzeichnisses sind nicht zu holen
    .why = das Programm dafür ist nicht installiert
    .do = pip install huggingface-hub
problem-no-pip = Modelle aus Paketen sind nicht zu holen
    .why = { $python } hat kein pip
    .do = python3 -m ensurepip, oder apt install python3-pip

problem-instance-launching = { $instance } ist angefordert und hat noch nicht geantwortet; jetzt ist sie nicht zu beenden
    .do = in einer Minute noch einmal
problem-volume-kept = { $volume } blieb, wie es ist
    .do = leitstand volumes delete { $volume } --yes
problem-not-prepaid = für { $instance } wurde nichts im Voraus bezahlt
    .do = leitstand instances prepay { $instance } --amount … --yes
problem-reap-volumes-left = { $count ->
    [one] 1 Volume wurde nicht gelöscht
   *[other] { $count } Volumes wurden nicht gelöscht
}
    .why = ein Anbieter behält es, solange eine Maschine es hat, und es kostet, bis es weg ist
    .do = leitstand reap --all
