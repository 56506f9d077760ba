# What detectors name: the 80 classes of COCO, counted, and as a bare name.

label-person = { $count ->
        [one] { $count } person
       *[other] { $count } persons
    }
    .name = person
label-bicycle = { $count ->
        [one] { $count } bicycle
       *[other] { $count } bicycles
    }
    .name = bicycle
label-car = { $count ->
        [one] { $count } car
       *[other] { $count } cars
    }
    .name = car
label-motorcycle = { $count ->
        [one] { $count } motorcycle
       *[other] { $count } motorcycles
    }
    .name = motorcycle
label-airplane = { $count ->
        [one] { $count } airplane
       *[other] { $count } airplanes
    }
    .name = airplane
label-bus = { $count ->
        [one] { $count } bus
       *[other] { $count } buses
    }
    .name = bus
label-train = { $count ->
        [one] { $count } train
       *[other] { $count } trains
    }
    .name = train
label-truck = { $count ->
        [one] { $count } truck
       *[other] { $count } trucks
    }
    .name = truck
label-boat = { $count ->
        [one] { $count } boat
       *[other] { $count } boats
    }
    .name = boat
label-traffic-light = { $count ->
        [one] { $count } traffic light
       *[other] { $count } traffic lights
    }
    .name = traffic light
label-fire-hydrant = { $count ->
        [one] { $count } fire hydrant
       *[other] { $count } fire hydrants
    }
    .name = fire hydrant
label-stop-sign = { $count ->
        [one] { $count } stop sign
       *[other] { $count } stop signs
    }
    .name = stop sign
label-parking-meter = { $count ->
        [one] { $count } parking meter
       *[other] { $count } parking meters
    }
    .name = parking meter
label-bench = { $count ->
        [one] { $count } bench
       *[other] { $count } benches
    }
    .name = bench
label-bird = { $count ->
        [one] { $count } bird
       *[other] { $count } birds
    }
    .name = bird
label-cat = { $count ->
        [one] { $count } cat
       *[other] { $count } cats
    }
    .name = cat
label-dog = { $count ->
        [one] { $count } dog
       *[other] { $count } dogs
    }
    .name = dog
label-horse = { $count ->
        [one] { $count } horse
       *[other] { $count } horses
    }
    .name = horse
label-sheep = { $count ->
        [one] { $count } sheep
       *[other] { $count } sheep
    }
    .name = sheep
label-cow = { $count ->
        [one] { $count } cow
       *[other] { $count } cows
    }
    .name = cow
label-elephant = { $count ->
        [one] { $count } elephant
       *[other] { $count } elephants
    }
    .name = elephant
label-bear = { $count ->
        [one] { $count } bear
       *[other] { $count } bears
    }
    .name = bear
label-zebra = { $count ->
        [one] { $count } zebra
       *[other] { $count } zebras
    }
    .name = zebra
label-giraffe = { $count ->
        [one] { $count } giraffe
       *[other] { $count } giraffes
    }
    .name = giraffe
label-backpack = { $count ->
        [one] { $count } backpack
       *[other] { $count } backpacks
    }
    .name = backpack
label-umbrella = { $count ->
        [one] { $count } umbrella
       *[other] { $count } umbrellas
    }
    .name = umbrella
label-handbag = { $count ->
        [one] { $count } handbag
       *[other] { $count } handbags
    }
    .name = handbag
label-tie = { $count ->
        [one] { $count } tie
       *[other] { $count } ties
    }
    .name = tie
label-suitcase = { $count ->
        [one] { $count } suitcase
       *[other] { $count } suitcases
    }
    .name = suitcase
label-frisbee = { $count ->
        [one] { $count } frisbee
       *[other] { $count } frisbees
    }
    .name = frisbee
label-skis = { $count ->
        [one] { $count } pair of skis
       *[other] { $count } pairs of skis
    }
    .name = pair of skis
label-snowboard = { $count ->
        [one] { $count } snowboard
       *[other] { $count } snowboards
    }
    .name = snowboard
label-sports-ball = { $count ->
        [one] { $count } sports ball
       *[other] { $count } sports balls
    }
    .name = sports ball
label-kite = { $count ->
        [one] { $count } kite
       *[other] { $count } kites
    }
    .name = kite
label-baseball-bat = { $count ->
        [one] { $count } baseball bat
       *[other] { $count } baseball bats
    }
    .name = baseball bat
label-baseball-glove = { $count ->
        [one] { $count } baseball glove
       *[other] { $count } baseball gloves
    }
    .name = baseball glove
label-skateboard = { $count ->
        [one] { $count } skateboard
       *[other] { $count } skateboards
    }
    .name = skateboard
label-surfboard = { $count ->
        [one] { $count } surfboard
       *[other] { $count } surfboards
    }
    .name = surfboard
label-tennis-racket = { $count ->
        [one] { $count } tennis racket
       *[other] { $count } tennis rackets
    }
    .name = tennis racket
label-bottle = { $count ->
        [one] { $count } bottle
       *[other] { $count } bottles
    }
    .name = bottle
label-wine-glass = { $count ->
        [one] { $count } wine glass
       *[other] { $count } wine glasses
    }
    .name = wine glass
label-cup = { $count ->
        [one] { $count } cup
       *[other] { $count } cups
    }
    .name = cup
label-fork = { $count ->
        [one] { $count } fork
       *[other] { $count } forks
    }
    .name = fork
label-knife = { $count ->
        [one] { $count } knife
       *[other] { $count } knives
    }
    .name = knife
label-spoon = { $count ->
        [one] { $count } spoon
       *[other] { $count } spoons
    }
    .name = spoon
label-bowl = { $count ->
        [one] { $count } bowl
       *[other] { $count } bowls
    }
    .name = bowl
label-banana = { $count ->
        [one] { $count } banana
       *[other] { $count } bananas
    }
    .name = banana
label-apple = { $count ->
        [one] { $count } apple
       *[other] { $count } apples
    }
    .name = apple
label-sandwich = { $count ->
        [one] { $count } sandwich
       *[other] { $count } sandwiches
    }
    .name = sandwich
label-orange = { $count ->
        [one] { $count } orange
       *[other] { $count } oranges
    }
    .name = orange
label-broccoli = { $count ->
        [one] { $count } piece of broccoli
       *[other] { $count } pieces of broccoli
    }
    .name = piece of broccoli
label-carrot = { $count ->
        [one] { $count } carrot
       *[other] { $count } carrots
    }
    .name = carrot
label-hot-dog = { $count ->
        [one] { $count } hot dog
       *[other] { $count } hot dogs
    }
    .name = hot dog
label-pizza = { $count ->
        [one] { $count } pizza
       *[other] { $count } pizzas
    }
    .name = pizza
label-donut = { $count ->
        [one] { $count } donut
       *[other] { $count } donuts
    }
    .name = donut
label-cake = { $count ->
        [one] { $count } cake
       *[other] { $count } cakes
    }
    .name = cake
label-chair = { $count ->
        [one] { $count } chair
       *[other] { $count } chairs
    }
    .name = chair
label-couch = { $count ->
        [one] { $count } couch
       *[other] { $count } couches
    }
    .name = couch
label-potted-plant = { $count ->
        [one] { $count } potted plant
       *[other] { $count } potted plants
    }
    .name = potted plant
label-bed = { $count ->
        [one] { $count } bed
       *[other] { $count } beds
    }
    .name = bed
label-dining-table = { $count ->
        [one] { $count } dining table
       *[other] { $count } dining tables
    }
    .name = dining table
label-toilet = { $count ->
        [one] { $count } toilet
       *[other] { $count } toilets
    }
    .name = toilet
label-tv = { $count ->
        [one] { $count } television set
       *[other] { $count } television sets
    }
    .name = television set
label-laptop = { $count ->
        [one] { $count } laptop
       *[other] { $count } laptops
    }
    .name = laptop
label-mouse = { $count ->
        [one] { $count } computer mouse
       *[other] { $count } computer mice
    }
    .name = computer mouse
label-remote = { $count ->
        [one] { $count } remote control
       *[other] { $count } remote controls
    }
    .name = remote control
label-keyboard = { $count ->
        [one] { $count } keyboard
       *[other] { $count } keyboards
    }
    .name = keyboard
label-cell-phone = { $count ->
        [one] { $count } cell phone
       *[other] { $count } cell phones
    }
    .name = cell phone
label-microwave = { $count ->
        [one] { $count } microwave
       *[other] { $count } microwaves
    }
    .name = microwave
label-oven = { $count ->
        [one] { $count } oven
       *[other] { $count } ovens
    }
    .name = oven
label-toaster = { $count ->
        [one] { $count } toaster
       *[other] { $count } toasters
    }
    .name = toaster
label-sink = { $count ->
        [one] { $count } sink
       *[other] { $count } sinks
    }
    .name = sink
label-refrigerator = { $count ->
        [one] { $count } refrigerator
       *[other] { $count } refrigerators
    }
    .name = refrigerator
label-book = { $count ->
        [one] { $count } book
       *[other] { $count } books
    }
    .name = book
label-clock = { $count ->
        [one] { $count } clock
       *[other] { $count } clocks
    }
    .name = clock
label-vase = { $count ->
        [one] { $count } vase
       *[other] { $count } vases
    }
    .name = vase
label-scissors = { $count ->
        [one] { $count } pair of scissors
       *[other] { $count } pairs of scissors
    }
    .name = pair of scissors
label-teddy-bear = { $count ->
        [one] { $count } teddy bear
       *[other] { $count } teddy bears
    }
    .name = teddy bear
label-hair-drier = { $count ->
        [one] { $count } hair drier
       *[other] { $count } hair driers
    }
    .name = hair drier
label-toothbrush = { $count ->
        [one] { $count } toothbrush
       *[other] { $count } toothbrushes
    }
    .name = toothbrush
