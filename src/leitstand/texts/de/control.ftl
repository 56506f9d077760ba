# Fehler und Gründe der Leitstelle, ihrer Ablagen und ihrer Worker.

problem-archive = { $name } wurde nicht angenommen: die Datei ist ein Archiv
    .do = entpacken und die Dateien darin übergeben
problem-asked = jemand hat das Ende verlangt
problem-authority-ended = die interne Zertifizierungsstelle in { $path } ist abgelaufen
    .why = Worker vertrauen dieser Leitstelle nicht mehr
    .do = wenn keine Instanz läuft, ca.key und ca.pem daneben entfernen und neu starten
problem-bad-request = die Anfrage wurde bei { $place } nicht verstanden
    .why = { $detail }
problem-blobs-full = in { $where } ist kein Platz mehr
    .why = nichts wurde abgelegt
    .do = Platz schaffen, dann erneut starten
problem-blobs-refused = der Ablageort { $where } weist die Zugangsdaten ab
    .do = die Variablen AWS_… prüfen
problem-blobs-unavailable = der Ablageort { $where } antwortet nicht
    .why = { $reason }
    .do = Adresse und Netz oder die Rechte des Ordners prüfen
problem-blobs-url = blobs.url ist keine Ablageadresse
    .do = Ordner, s3://, gs:// oder az:// ohne Zugangsdaten; http nur für die eigene Maschine
problem-body-too-large = das Gesendete ist zu groß
    .why = höchstens { $bytes_max } Byte werden auf einmal angenommen
problem-case-class-differs = der Fall { $case } hat Schutzklasse { $has }, nicht { $asked }
    .why = ein Fall behält die Klasse, mit der er geöffnet wurde
    .do = einen anderen Fall nennen oder --class weglassen
problem-certificates-damaged = die Zertifikate für { $host } in { $folder } sind nicht zu gebrauchen
    .why = ca.pem, cert.pem und key.pem müssen PEM sein, und der Schlüssel der des Zertifikats
    .do = openssl verify -CAfile ca.pem cert.pem; sie neu anlegen, wo es nein sagt
problem-changed-meanwhile = es hat sich inzwischen geändert; nichts wurde getan
    .do = noch einmal ansehen, dann entscheiden
problem-csr-refused = die Zertifikatsanfrage wurde abgelehnt
    .why = { $detail }
problem-digest-differs = angekommen ist nicht, was angekündigt war
    .why = der SHA-256 weicht ab
    .do = erneut senden
problem-dollar-rate-unset = es ist nicht bekannt, wie viel Euro ein Dollar ist
    .why = der Anbieter nennt Preise in Dollar, und hier wird in Euro gerechnet
    .do = den Kurs in leitstand.toml setzen: money.usd_eur = "0.92", und seinen Tag: money.usd_eur_date = 2026-11-20
problem-host-quarantined = andere Instanzen sind auf ihrer Maschine gescheitert; sie bleibt eine Weile unbenutzt
    .do = leitstand hosts sagt, bis wann; die Arbeit geht anderswo weiter
problem-end-by = ihr vereinbartes Ende ist gekommen
problem-gated = { $capability } ist nicht freigegeben
    .why = das identifiziert oder beurteilt Personen, und diese Fassung kennt keine Freigaben
    .do = ein Profil ohne das wählen
problem-gaps-at-intake = { $name } wurde zum Teil aufgenommen: { $gaps ->
        [one] ein Stück davon fehlt
       *[other] { $gaps } Stücke davon fehlen
    }
    .why = was dort beschädigt ist, lässt sich nicht dekodieren
    .do = noch einmal kopieren; die Auswertung des Gelesenen bleibt, die Lücken sind markiert
problem-gaps-in-results = { $name } wurde zum Teil gelesen: { $segments ->
        [one] ein Segment hat eine Lücke
       *[other] { $segments } Segmente haben Lücken
    }
    .why = was dort beschädigt ist, lässt sich nicht dekodieren
    .do = noch einmal kopieren; die Auswertung des Gelesenen bleibt, die Lücken sind markiert
problem-gone-by-itself = sie endete von selbst
    .do = nichts: eine andere Instanz übernimmt; auf dem eigenen Rechner ihr Protokoll im Zustandsordner ansehen
problem-held = der Auftrag wurde angehalten
problem-host-exhausted = { $resource ->
        [disk] auf der Maschine ist kein Speicherplatz mehr
        [memory] auf der Maschine ist kein Arbeitsspeicher mehr
        [files] auf der Maschine sind zu viele Dateien offen
        [processes] die Maschine kann keine Prozesse mehr starten
       *[device] ein Datenträger oder Gerät der Maschine versagte
    }
    .do = das beheben oder eine andere Maschine nehmen, dann den Auftrag neu starten
problem-host-out-of-memory = der Maschine ging der Arbeitsspeicher aus
    .do = eine Maschine mit mehr Speicher nehmen
problem-idle = niemand braucht sie mehr
problem-incomplete = der Versuch endete ohne alle Abschnitte
    .do = nichts: ein anderer Versuch übernimmt den Rest; scheiterte der Auftrag daran, mit dem Protokoll der Instanz melden
problem-instance-ending = die Instanz geht zu Ende
    .do = nichts: eine andere Instanz macht beim letzten fertigen Abschnitt weiter
problem-instance-lost = die Instanz ging verloren
    .do = nichts: eine andere Instanz macht beim letzten fertigen Abschnitt weiter; scheiterte der Auftrag daran, ihn neu starten
problem-internal = Leitstand ist gescheitert, wo es nicht sollte ({ $error })
    .why = das ist ein Fehler in Leitstand, nicht in Ihrer Eingabe
    .do = das Protokoll der Leitstelle ansehen; was läuft, läuft weiter
problem-job-changed = { $job } ist im Zustand { $state }; nichts wurde getan
    .do = leitstand jobs show { $job }
problem-key-context-wrong = ein Schlüssel war für einen anderen Versuch und wurde nicht benutzt
    .do = nichts: es folgt ein anderer Versuch; scheiterte der Auftrag daran, mit dem Protokoll der Leitstelle melden
problem-key-destroyed = der Schlüssel ist vernichtet
    .why = das Medium wurde gelöscht; hier öffnet es nichts mehr
    .do = die Datei erneut übergeben
problem-report-erased = der Bericht von { $job } wurde gelöscht
    .why = seine Frist ist um (retention.reports); nichts hier öffnet ihn mehr
    .do = die abgeholte Kopie nehmen oder die Dateien erneut auswerten
problem-clock-jumped-back = Auftrag wartet: die Uhr der Leitstelle sprang zurück
    .why = nach einer Uhr, die falsch gehen kann, wird nichts gestartet und kein Schlüssel freigegeben; laufende Instanzen bleiben
    .do = Uhr stellen (timedatectl). Weiter geht es, wenn die Uhr aufgeholt hat, spätestens nach 15 Minuten
problem-key-file-damaged = die Schlüsseldatei { $path } ist beschädigt
    .why = ihr Inhalt ist nicht der von Leitstand geschriebene, und sie wird nie von selbst ersetzt
    .do = diese Datei aus Ihrer eigenen Kopie des Schlüsselordners wiederherstellen
problem-installation-missing = welche Maschinen unsere sind, ist nicht bekannt: { $path } fehlt
    .why = darin stehen die acht Zeichen, die in der Kennung jeder von hier gemieteten Maschine auf ls1- folgen; beendet wurde nichts
    .do = falls Maschinen gemietet wurden: leitstand reap --installation ID, mit diesen acht Zeichen
problem-installation-damaged = { $path } sagt nicht, welche Maschinen unsere sind
    .why = darin müssen acht Zeichen aus a-z und 0-9 stehen, die in der Kennung jeder von hier gemieteten Maschine auf ls1- folgen
    .do = diese Datei aus Ihrer eigenen Kopie wiederherstellen oder diese Zeichen hineinschreiben; ohne sie: leitstand reap --installation ID
problem-bad-installation = --installation "{ $given }" ist keine Installation
    .do = --installation und die acht Zeichen, die in der Kennung einer Maschine auf ls1- folgen
problem-key-file-readable = andere Benutzer können die Schlüsseldatei { $path } lesen
    .why = ein Schlüssel, den andere gelesen haben können, schützt nichts
    .do = prüfen, wer sie lesen konnte, dann: chmod 600 { $path }
problem-key-folder-readable = andere Benutzer haben Zugang zum Schlüsselordner { $path }
    .why = wer Zugang hat, kann Schlüssel austauschen oder auflisten
    .do = chmod 700 { $path }
problem-key-refused = der Medienschlüssel wurde nicht freigegeben: { $predicate ->
        [attempt-live] sein Versuch ist zu Ende
        [fence-current] ein anderer Versuch hat übernommen
        [certificate-of-instance] er zeigte das Zertifikat einer anderen Instanz
        [attempt-of-instance] der Versuch gehört einer anderen Instanz
        [instance-admitted] seine Instanz ist nicht zugelassen
        [instance-not-overdue] seine Instanz sollte schon beendet sein
        [instance-seen] sein Anbieter führt die Instanz nicht mehr
        [host-not-quarantined] andere unserer Instanzen sind auf seiner Maschine gescheitert
        [instance-as-offered] sein Anbieter hat die Instanz noch nicht so gezeigt, wie sie angeboten war
        [hpke-key-known] er hat keinen eigenen Schlüssel zum Versiegeln
        [tier-allows-class] seine Maschine darf Medien dieser Schutzklasse nicht sehen
        [fuse-on-own-machine] die Auswertung wird nur auf eigenen Maschinen erstellt
        [medium-present] das Medium ist nicht mehr da
        [medium-not-expired] die Frist des Mediums ist vorbei
        [tier-allows-task] der Plan erlaubt keine solche Maschine
        [no-swap] seine Maschine kann Arbeitsspeicher auf den Datenträger schreiben (Swap)
        [budget-left] was der Auftrag kosten darf, ist ausgegeben
        [job-active] der Auftrag ist zu Ende
        [capabilities-permitted] wonach er suchen soll, ist nicht freigegeben
        [worker-clock-near] seine Uhr geht falsch
        [own-clock-steady] die Uhr der Leitstelle ist zurückgesprungen
       *[other] eine Bedingung gilt nicht ({ $predicate })
    }
    .why = ein Schlüssel geht nur an einen Worker, für den jede Bedingung gilt
    .do = { $predicate ->
        [medium-present] die Dateien erneut übergeben
        [medium-not-expired] die Dateien erneut übergeben
        [no-swap] Swap auf dieser Maschine abschalten oder eine andere wählen
        [budget-left] mit höherem --max-cost neu starten
        [capabilities-permitted] ein Profil ohne das wählen
        [tier-allows-class] einen Anbieter besserer Stufe oder die eigene Maschine wählen
        [tier-allows-task] einen Anbieter besserer Stufe oder die eigene Maschine wählen
        [fuse-on-own-machine] einen Anbieter besserer Stufe oder die eigene Maschine wählen
        [worker-clock-near] die Uhren über NTP stellen, dann den Auftrag neu starten
        [own-clock-steady] die Uhren über NTP stellen, dann den Auftrag neu starten
       *[other] nichts: es folgt ein anderer Versuch; scheiterte der Auftrag daran, das Protokoll der Leitstelle ansehen
    }
problem-launch-rejected = der Anbieter hat den Start abgewiesen
    .why = die Anfrage war falsch; das ist ein Fehler in Leitstand
    .do = mit dem Protokoll der Leitstelle melden; ein anderes Angebot wird versucht
problem-ledger-damaged = das Hauptbuch hat { $entries } Einträge, sein neuester signierter Kopf deckt { $signed }
    .why = Einträge oder Köpfe wurden an ihm vorbei entfernt oder hinzugefügt; es wird nichts mehr signiert, damit das sichtbar bleibt
    .do = leitstand audit verify, dann die letzte Kopie der Datenbank wiederherstellen
problem-lease-expired = ihre Zuteilung lief ab
    .why = es kam rechtzeitig nichts von ihr
    .do = nichts: ein anderer Versuch macht weiter; scheiterte der Auftrag daran, das Protokoll der Instanz und das Netz zu ihr prüfen
problem-legal-hold = { $medium } wurde nicht gelöscht
    .why = für den Fall gilt eine Aufbewahrungssperre: nichts davon darf gelöscht werden
    .do = zuerst die Aufbewahrungssperre aufheben lassen
problem-medium-gone = { $medium } ist gelöscht und lässt sich nicht mehr auswerten
    .why = eine Auswertung ohne es sähe aus, als wäre darin nichts gefunden worden
    .do = es weglassen oder seine Datei neu übergeben: leitstand plan PFAD...
problem-medium-not-ready = { $medium } ist noch nicht aufgenommen
    .do = warten, bis leitstand media es als bereit zeigt, dann neu planen
problem-not-in-profile = { $name } wurde nicht ausgewertet: das Profil { $profile } sucht darin nichts
    .do = ein anderes Profil wählen oder auto
problem-id-taken = { $id } ist die Kennung eines anderen Mediums
    .do = eine neue wählen oder sie weglassen
problem-medium-in-use = { $medium } wird von einem Auftrag gebraucht, der nicht zu Ende ist
    .do = zuerst diesen Auftrag abbrechen
problem-medium-not-receiving = das Medium nimmt nichts mehr an: Zustand { $state }
    .do = die Datei neu ankündigen
problem-medium-unreadable = nichts von { $name } ließ sich dekodieren
    .do = noch einmal kopieren oder mit einem Abspieler prüfen
problem-model-unloadable = das Modell { $model } lässt sich nicht laden
    .do = leitstand models verify
problem-never-created = der Anbieter hat sie nie erzeugt
    .do = nichts: ein anderes Angebot wird versucht
problem-never-ready = sie war nicht rechtzeitig bereit
    .do = nichts: eine andere Instanz wird versucht; wird keine bereit, prüfen, ob sie worker.advertise_url erreicht
problem-no-capacity = das Angebot war weg
    .do = nichts: ein anderes Angebot wird versucht
problem-no-certificate = dafür ist das Zertifikat einer Instanz nötig
problem-no-funds = das Konto beim Anbieter hat kein Guthaben
    .do = aufladen, dann fortsetzen
problem-funds-low = bei { $provider } sind noch { $balance } EUR Guthaben, und was dort gemietet ist, kostet in den nächsten zwei Stunden { $needs } EUR
    .why = wo das Guthaben ausgeht, halten alle Maschinen an, und was auf ihren Platten liegt, ist vielleicht verloren
    .do = aufladen; bis dahin wird dort nichts Neues gemietet
problem-no-instance-stays = keine Instanz hielt durch ({ $launches } versucht)
    .why = jede endete, bevor sie arbeiten konnte
    .do = leitstand doctor, dann die Protokolle der Instanzen im Zustandsordner
problem-no-progress = sie machte keine Fortschritte
    .do = nichts: ein anderer Versuch macht weiter; scheiterte der Auftrag daran, die Datei mit einem Abspieler prüfen oder eine schnellere Maschine nehmen
problem-not-allowed = { $action } ist Ihnen nicht erlaubt
    .do = vom Konto aus tun, für das die Leitstelle läuft
problem-not-yet = es ist zu früh; erneut fragen
problem-nothing-to-analyse = nichts davon passt zum Profil { $profile }
    .do = ein anderes Profil wählen, oder auto
problem-object-corrupt = ein gespeicherter Abschnitt ist beschädigt
    .why = sein Geheimtext hat einen anderen Prüfwert als beim Ablegen
    .do = die Datei erneut hochladen
problem-object-unavailable = ein gespeicherter Abschnitt war nicht zu holen
    .do = den Ablageort prüfen, dann den Auftrag neu starten
problem-object-unreadable = ein gespeicherter Abschnitt öffnet sich nicht mit seinem Schlüssel
    .do = die Datei erneut hochladen
problem-orphan = sie stand ohne Eintrag beim Anbieter und wird beendet; was sie gekostet hat, ist auf keinen Auftrag gebucht
    .do = nichts, sobald sie fort ist; es kommt nach einer verlorenen Datenbank vor, oder wenn ein Anbieter erzeugt hat, was er verweigerte
problem-over-budget = { $cost_eur ->
        [none] nicht gestartet, das Budget ({ $budget }) deckt es nicht
       *[other] der Auftrag hatte begonnen und kann nicht weiterarbeiten, das Budget ({ $budget }) deckt keine weitere Instanz; bisher kostete er { $cost_eur }
    }
    .why = { $needed_eur } müssten vorgemerkt werden; { $left_eur } von { $limit_eur } sind frei ({ $spent_eur } ausgegeben, { $reserved_eur } vorgemerkt)
    .do = das Budget in leitstand.toml erhöhen oder weniger verlangen
problem-picture-not-encodable = ein Bild für die Auswertung ließ sich nicht erzeugen
    .do = mit dem Protokoll der Instanz melden
problem-port-busy = die Adresse { $address } ist belegt
    .why = dort lauscht ein anderes Programm
    .do = einen anderen Port in leitstand.toml wählen oder jenes Programm beenden
problem-protocol-unknown = die Gegenseite spricht eine andere Fassung des Protokolls
    .why = diese Leitstelle spricht { $ours }
    .do = auf beiden Seiten dieselbe Version verwenden
problem-provider-key-damaged = die Schlüsseldatei { $path } von { $provider } enthält keinen Schlüssel
    .why = ein Schlüssel ist eine Zeile aus druckbaren Zeichen ohne Leerzeichen
    .do = den Schlüssel erneut hineinschreiben, nur ihn, mit Modus 0600
problem-provider-key-unset = { $provider } hat keinen Schlüssel
    .why = ohne einen lässt sich dort nichts mieten
    .do = den Schlüssel in eine Datei mit Modus 0600 schreiben und diese nennen: providers.{ $provider }.key_file
problem-provider-retired = der Anbieter hat die Schnittstelle beendet, die diese Fassung spricht
    .do = eine neuere Fassung von leitstand; bis dahin einen anderen Anbieter wählen
problem-provider-unavailable = der Anbieter antwortete nicht
    .do = nichts: er wird wieder gefragt; dauert es an, das Netz prüfen, dann: leitstand doctor
problem-report-too-large = der Bericht ist zu groß zum Ablegen
    .why = alle Befunde eines Auftrags stehen in einem Bericht
    .do = den Auftrag abbrechen, dann weniger Dateien auf einmal auswerten oder mit einem Profil, das weniger sucht
problem-result-too-large = die Befunde eines Abschnitts sind zu groß zum Ablegen
    .do = die Datei in Teile schneiden oder ein Profil wählen, das weniger sucht
problem-stopped-by-host = ihr Wirt hat sie angehalten
    .do = nichts: eine andere Instanz macht beim letzten fertigen Abschnitt weiter; geschieht es wieder, ein anderes Angebot wählen
problem-store-full = für die Datenbank { $where } ist kein Platz mehr
    .why = die Änderung wurde nicht behalten
    .do = Platz schaffen, dann erneut versuchen
problem-store-unavailable = die Datenbank { $where } ist nicht benutzbar
    .why = { $reason ->
        [connection] keine Verbindung zu ihr
        [no-connection-free] alle ihre Verbindungen sind belegt
        [closed] der Leitstand endet gerade
       *[other] { $reason }
    }
    .do = prüfen, ob sie läuft und niemand sonst sie hält
problem-cancel-not-kept = das Ende von { $job } ließ sich nicht festhalten
    .why = { $store ->
        [store-full] für die Datenbank { $where } ist kein Platz mehr
       *[other] die Datenbank { $where } ist nicht benutzbar
    }; { $left ->
        [0] keine seiner Instanzen ist mehr da
        [one] seine Instanz soll enden, noch nicht nachweislich weg
       *[other] seine { $left } Instanzen sollen enden, noch nicht nachweislich weg
    }
    .do = Platz schaffen; dann wird er abgebrochen, und leitstand jobs cancel { $job } stellt es sicher
problem-store-url = store.url ist keine Datenbankadresse
    .do = sqlite:////Pfad oder postgresql://user@host/name verwenden
problem-token-refused = das Einmal-Token ist nicht gültig
    .why = es wurde benutzt, ist zu alt oder gehört niemandem
problem-unauthorized = der Anbieter weist unseren Schlüssel ab
    .do = die Schlüsseldatei dieses Anbieters prüfen
problem-unknown-case = es gibt keinen Fall { $case }
    .do = leitstand cases
problem-unknown-decision = es gibt keinen Plan { $decision }
    .do = einen machen: leitstand plan PFAD...
problem-unknown-instance = es gibt keine Instanz { $instance }
    .do = leitstand instances
problem-unknown-job = es gibt keinen Auftrag { $job }
    .do = leitstand jobs
problem-unknown-medium = es gibt kein Medium { $medium }
    .do = leitstand media
problem-boot-busy = zu viele Maschinen starten zugleich; die Dateien des Workers gibt es später
    .do = nichts: sie fragen wieder
problem-no-boot-files = hier sind keine Dateien, aus denen eine Maschine ein Worker werden könnte
    .do = leitstand images bundle
problem-unknown-boot-file = keine Datei { $sha256 } gehört zu einem Worker dieser Version
    .do = leitstand images bundle, danach ein neuer Start
problem-unknown-model-file = die Modelldatei { $sha256 } ist nicht hier
    .do = leitstand models verify
problem-unknown-object = das Objekt { $object } gibt es hier nicht, oder Sie dürfen es nicht lesen
problem-unknown-path = unter { $place } gibt es nichts
problem-unknown-provider = es gibt keinen Anbieter { $provider }
    .why = bekannt: { $known }
    .do = leitstand offers
problem-unknown-segment = die Aufgabe hat keinen Abschnitt { $segment }
problem-unknown-upload = es gibt keine Übertragung { $upload }
    .do = neu beginnen
problem-unwanted = niemand braucht sie mehr
problem-upload-incomplete = es fehlen { $missing } Teile der Übertragung
    .do = senden, dann erneut abschließen
problem-upload-malformed = die Übertragung passt nicht zur Ankündigung
    .do = mit wirklicher Größe und Prüfwerten neu ankündigen
problem-worker-error = der Worker ist gescheitert, wo er nicht sollte ({ $error })
    .why = das ist ein Fehler in Leitstand, nicht in Ihrer Eingabe
    .do = mit dem Protokoll der Instanz melden
problem-decoder-gone = der Dekodierprozess der Instanz ist beendet
    .why = er wurde beendet oder hatte zu wenig Speicher
    .do = nichts: eine andere Instanz übernimmt
problem-control-plane-refused = die Leitstelle hat eine Anfrage des Workers abgelehnt ({ $reason })
    .why = Worker und Leitstelle passen nicht zusammen
    .do = prüfen, ob beide dieselbe Version haben
problem-admission = die Instanz wurde nicht zugelassen: { $reasons }
    .why = sie ist nicht, was angeboten war, oder kann nicht schützen, was sie bekäme
    .do = nichts: eine andere Instanz wird versucht; leitstand doctor für den eigenen Rechner
problem-unguarded = nichts in ihr würde sie von selbst beenden, und sie war für { $term } gemietet
    .why = sie hat von ihrem Anbieter keinen eigenen Schlüssel für den Totmannschalter; ohne ihn lebt keine Maschine länger als zwei Stunden
    .do = nichts: die Instanz wird beendet und eine andere versucht; wo es wieder vorkommt, end_by_hours_max = 2 in den Einstellungen ihres Anbieters
problem-never-shown = ihr Anbieter sagte nie genug über sie: Ort, Abbild oder Cloud
    .why = Medien gehen nur dorthin, wo der Anbieter die Maschine selbst so führt, wie er sie anbot
    .do = nichts: eine andere Instanz wird versucht
problem-will-not-end = { $provider } sollte sie beenden und führt sie noch
    .why = bis sie nachweislich weg ist, kostet sie Geld; deshalb gilt sie nicht als beendet
    .do = in der Konsole von { $provider } beenden; sie wird weiter darum gebeten, bis sie weg ist
problem-boot-failed = ihre Maschine konnte sie nicht starten
    .why = das Protokoll der Maschine oder ihr Anbieter sagt, dass sie nie startet
    .do = nichts: sie wird beendet und eine andere versucht
problem-contended = sie rechnet viel langsamer als andere mit ihrer GPU: { $has }, üblich sind mindestens { $needs }
    .why = jemand nutzt sie gleichzeitig, sie ist gedrosselt, oder sie ist nicht, was ihr Name sagt
    .do = nichts: die Instanz wird beendet und eine andere versucht
problem-list-doubted = { $provider } führt plötzlich keine unserer { $count } Instanzen mehr auf
    .why = eher fehlt eine Liste als so viele Maschinen auf einmal; nichts wird abgeschrieben, und dort wird nichts Neues gestartet
    .do = in der Konsole von { $provider } nachsehen: was da ist, findet sich von selbst wieder; eine Liste, die leer bleibt, wird nach zehn Minuten geglaubt, außer die Maschinen sind noch zu hören
problem-mismatch = der Anbieter gab etwas anderes, als er angeboten hatte
    .do = nichts: die Instanz wird beendet und eine andere versucht
problem-media-expired = niemand hat den Auftrag fortgesetzt, bevor seine Medien zu löschen waren
    .do = mit den Dateien neu beginnen
problem-fenced = ein anderer Versuch hat übernommen; was zu spät kam, wurde nicht behalten
problem-unknown-volume = es gibt kein Volume { $volume }
    .do = leitstand volumes
problem-volume-in-use = { $volume } wurde nicht gelöscht: eine Instanz hat es
    .why = { $instance } liest ihre Modelle von dort
    .do = leitstand instances drain { $instance }     oder warten, bis sie beendet ist
problem-volume-asked = jemand wollte das
problem-volume-double = am selben Ort gibt es ein älteres
problem-volume-gone = der Anbieter führt es nicht mehr auf
problem-volume-idle = so lange, wie retention.volumes sagt, hatte keine Instanz es
problem-volume-unpaid = die Budgets bezahlen die nächsten zwei Stunden davon nicht
problem-volume-unset = die Einstellungen nennen seinen Ort nicht
problem-prepaid-already = { $instance } ist schon im Voraus bezahlt
    .why = eine zweite Zahlung wäre ein zweiter Verlust, wenn sie früher endet
    .do = leitstand instances show { $instance }
problem-prepay-open = ob { $instance } im Voraus bezahlt ist, ist nicht bekannt
    .why = die Antwort auf die Zahlung ging verloren, und sie wird nie zweimal gesendet
    .do = in der Konsole des Anbieters nachsehen
problem-prepay-not-now = für { $instance } kann jetzt nichts im Voraus bezahlt werden
    .why = das geht nur, wenn sie da ist, einem Auftrag dient und nicht enden soll
    .do = leitstand instances show { $instance }
problem-prepay-a-bid = für { $instance } kann nichts im Voraus bezahlt werden: ihr Preis ist ein Gebot
    .do = leitstand instances show { $instance }
problem-prepay-off = bei { $provider } wird nichts im Voraus bezahlt
    .why = nur Vast.ai nimmt das, wenn providers.vast.reserve gesetzt ist
    .do = siehe docs/renting.md
problem-prepay-too-little = so wenig kann nicht im Voraus bezahlt werden
    .why = der Anbieter nimmt ganze Cent eines Dollars
    .do = { $least_eur } € oder mehr nennen
problem-prepay-refused = der Anbieter hat die Zahlung für { $instance } nicht angenommen: { $error }
    .do = leitstand doctor
