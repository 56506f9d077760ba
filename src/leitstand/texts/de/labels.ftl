# Was Detektoren nennen: die 80 Klassen von COCO, gezählt und als bloßer Name.

label-person = { $count ->
        [one] { $count } Person
       *[other] { $count } Personen
    }
    .name = Person
label-bicycle = { $count ->
        [one] { $count } Fahrrad
       *[other] { $count } Fahrräder
    }
    .name = Fahrrad
label-car = { $count ->
        [one] { $count } Auto
       *[other] { $count } Autos
    }
    .name = Auto
label-motorcycle = { $count ->
        [one] { $count } Motorrad
       *[other] { $count } Motorräder
    }
    .name = Motorrad
label-airplane = { $count ->
        [one] { $count } Flugzeug
       *[other] { $count } Flugzeuge
    }
    .name = Flugzeug
label-bus = { $count ->
        [one] { $count } Bus
       *[other] { $count } Busse
    }
    .name = Bus
label-train = { $count ->
        [one] { $count } Zug
       *[other] { $count } Züge
    }
    .name = Zug
label-truck = { $count ->
        [one] { $count } Lastwagen
       *[other] { $count } Lastwagen
    }
    .name = Lastwagen
label-boat = { $count ->
        [one] { $count } Boot
       *[other] { $count } Boote
    }
    .name = Boot
label-traffic-light = { $count ->
        [one] { $count } Ampel
       *[other] { $count } Ampeln
    }
    .name = Ampel
label-fire-hydrant = { $count ->
        [one] { $count } Hydrant
       *[other] { $count } Hydranten
    }
    .name = Hydrant
label-stop-sign = { $count ->
        [one] { $count } Stoppschild
       *[other] { $count } Stoppschilder
    }
    .name = Stoppschild
label-parking-meter = { $count ->
        [one] { $count } Parkuhr
       *[other] { $count } Parkuhren
    }
    .name = Parkuhr
label-bench = { $count ->
        [one] { $count } Sitzbank
       *[other] { $count } Sitzbänke
    }
    .name = Sitzbank
label-bird = { $count ->
        [one] { $count } Vogel
       *[other] { $count } Vögel
    }
    .name = Vogel
label-cat = { $count ->
        [one] { $count } Katze
       *[other] { $count } Katzen
    }
    .name = Katze
label-dog = { $count ->
        [one] { $count } Hund
       *[other] { $count } Hunde
    }
    .name = Hund
label-horse = { $count ->
        [one] { $count } Pferd
       *[other] { $count } Pferde
    }
    .name = Pferd
label-sheep = { $count ->
        [one] { $count } Schaf
       *[other] { $count } Schafe
    }
    .name = Schaf
label-cow = { $count ->
        [one] { $count } Rind
       *[other] { $count } Rinder
    }
    .name = Rind
label-elephant = { $count ->
        [one] { $count } Elefant
       *[other] { $count } Elefanten
    }
    .name = Elefant
label-bear = { $count ->
        [one] { $count } Bär
       *[other] { $count } Bären
    }
    .name = Bär
label-zebra = { $count ->
        [one] { $count } Zebra
       *[other] { $count } Zebras
    }
    .name = Zebra
label-giraffe = { $count ->
        [one] { $count } Giraffe
       *[other] { $count } Giraffen
    }
    .name = Giraffe
label-backpack = { $count ->
        [one] { $count } Rucksack
       *[other] { $count } Rucksäcke
    }
    .name = Rucksack
label-umbrella = { $count ->
        [one] { $count } Schirm
       *[other] { $count } Schirme
    }
    .name = Schirm
label-handbag = { $count ->
        [one] { $count } Handtasche
       *[other] { $count } Handtaschen
    }
    .name = Handtasche
label-tie = { $count ->
        [one] { $count } Krawatte
       *[other] { $count } Krawatten
    }
    .name = Krawatte
label-suitcase = { $count ->
        [one] { $count } Koffer
       *[other] { $count } Koffer
    }
    .name = Koffer
label-frisbee = { $count ->
        [one] { $count } Frisbee
       *[other] { $count } Frisbees
    }
    .name = Frisbee
label-skis = { $count ->
        [one] { $count } Paar Ski
       *[other] { $count } Paar Ski
    }
    .name = Paar Ski
label-snowboard = { $count ->
        [one] { $count } Snowboard
       *[other] { $count } Snowboards
    }
    .name = Snowboard
label-sports-ball = { $count ->
        [one] { $count } Sportball
       *[other] { $count } Sportbälle
    }
    .name = Sportball
label-kite = { $count ->
        [one] { $count } Drachen
       *[other] { $count } Drachen
    }
    .name = Drachen
label-baseball-bat = { $count ->
        [one] { $count } Baseballschläger
       *[other] { $count } Baseballschläger
    }
    .name = Baseballschläger
label-baseball-glove = { $count ->
        [one] { $count } Baseballhandschuh
       *[other] { $count } Baseballhandschuhe
    }
    .name = Baseballhandschuh
label-skateboard = { $count ->
        [one] { $count } Skateboard
       *[other] { $count } Skateboards
    }
    .name = Skateboard
label-surfboard = { $count ->
        [one] { $count } Surfbrett
       *[other] { $count } Surfbretter
    }
    .name = Surfbrett
label-tennis-racket = { $count ->
        [one] { $count } Tennisschläger
       *[other] { $count } Tennisschläger
    }
    .name = Tennisschläger
label-bottle = { $count ->
        [one] { $count } Flasche
       *[other] { $count } Flaschen
    }
    .name = Flasche
label-wine-glass = { $count ->
        [one] { $count } Weinglas
       *[other] { $count } Weingläser
    }
    .name = Weinglas
label-cup = { $count ->
        [one] { $count } Tasse
       *[other] { $count } Tassen
    }
    .name = Tasse
label-fork = { $count ->
        [one] { $count } Gabel
       *[other] { $count } Gabeln
    }
    .name = Gabel
label-knife = { $count ->
        [one] { $count } Messer
       *[other] { $count } Messer
    }
    .name = Messer
label-spoon = { $count ->
        [one] { $count } Löffel
       *[other] { $count } Löffel
    }
    .name = Löffel
label-bowl = { $count ->
        [one] { $count } Schüssel
       *[other] { $count } Schüsseln
    }
    .name = Schüssel
label-banana = { $count ->
        [one] { $count } Banane
       *[other] { $count } Bananen
    }
    .name = Banane
label-apple = { $count ->
        [one] { $count } Apfel
       *[other] { $count } Äpfel
    }
    .name = Apfel
label-sandwich = { $count ->
        [one] { $count } belegtes Brot
       *[other] { $count } belegte Brote
    }
    .name = belegtes Brot
label-orange = { $count ->
        [one] { $count } Orange
       *[other] { $count } Orangen
    }
    .name = Orange
label-broccoli = { $count ->
        [one] { $count } Brokkoli
       *[other] { $count } Brokkoli
    }
    .name = Brokkoli
label-carrot = { $count ->
        [one] { $count } Karotte
       *[other] { $count } Karotten
    }
    .name = Karotte
label-hot-dog = { $count ->
        [one] { $count } Hotdog
       *[other] { $count } Hotdogs
    }
    .name = Hotdog
label-pizza = { $count ->
        [one] { $count } Pizza
       *[other] { $count } Pizzen
    }
    .name = Pizza
label-donut = { $count ->
        [one] { $count } Donut
       *[other] { $count } Donuts
    }
    .name = Donut
label-cake = { $count ->
        [one] { $count } Kuchen
       *[other] { $count } Kuchen
    }
    .name = Kuchen
label-chair = { $count ->
        [one] { $count } Stuhl
       *[other] { $count } Stühle
    }
    .name = Stuhl
label-couch = { $count ->
        [one] { $count } Sofa
       *[other] { $count } Sofas
    }
    .name = Sofa
label-potted-plant = { $count ->
        [one] { $count } Topfpflanze
       *[other] { $count } Topfpflanzen
    }
    .name = Topfpflanze
label-bed = { $count ->
        [one] { $count } Bett
       *[other] { $count } Betten
    }
    .name = Bett
label-dining-table = { $count ->
        [one] { $count } Esstisch
       *[other] { $count } Esstische
    }
    .name = Esstisch
label-toilet = { $count ->
        [one] { $count } Toilette
       *[other] { $count } Toiletten
    }
    .name = Toilette
label-tv = { $count ->
        [one] { $count } Fernseher
       *[other] { $count } Fernseher
    }
    .name = Fernseher
label-laptop = { $count ->
        [one] { $count } Laptop
       *[other] { $count } Laptops
    }
    .name = Laptop
label-mouse = { $count ->
        [one] { $count } Computermaus
       *[other] { $count } Computermäuse
    }
    .name = Computermaus
label-remote = { $count ->
        [one] { $count } Fernbedienung
       *[other] { $count } Fernbedienungen
    }
    .name = Fernbedienung
label-keyboard = { $count ->
        [one] { $count } Tastatur
       *[other] { $count } Tastaturen
    }
    .name = Tastatur
label-cell-phone = { $count ->
        [one] { $count } Mobiltelefon
       *[other] { $count } Mobiltelefone
    }
    .name = Mobiltelefon
label-microwave = { $count ->
        [one] { $count } Mikrowelle
       *[other] { $count } Mikrowellen
    }
    .name = Mikrowelle
label-oven = { $count ->
        [one] { $count } Ofen
       *[other] { $count } Öfen
    }
    .name = Ofen
label-toaster = { $count ->
        [one] { $count } Toaster
       *[other] { $count } Toaster
    }
    .name = Toaster
label-sink = { $count ->
        [one] { $count } Spülbecken
       *[other] { $count } Spülbecken
    }
    .name = Spülbecken
label-refrigerator = { $count ->
        [one] { $count } Kühlschrank
       *[other] { $count } Kühlschränke
    }
    .name = Kühlschrank
label-book = { $count ->
        [one] { $count } Buch
       *[other] { $count } Bücher
    }
    .name = Buch
label-clock = { $count ->
        [one] { $count } Uhr
       *[other] { $count } Uhren
    }
    .name = Uhr
label-vase = { $count ->
        [one] { $count } Vase
       *[other] { $count } Vasen
    }
    .name = Vase
label-scissors = { $count ->
        [one] { $count } Schere
       *[other] { $count } Scheren
    }
    .name = Schere
label-teddy-bear = { $count ->
        [one] { $count } Teddybär
       *[other] { $count } Teddybären
    }
    .name = Teddybär
label-hair-drier = { $count ->
        [one] { $count } Haartrockner
       *[other] { $count } Haartrockner
    }
    .name = Haartrockner
label-toothbrush = { $count ->
        [one] { $count } Zahnbürste
       *[other] { $count } Zahnbürsten
    }
    .name = Zahnbürste
