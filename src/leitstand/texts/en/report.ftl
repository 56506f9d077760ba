# The report: its sentences, its headings, and what it does not know.

## Summary. Every message of this group cites evidence.

sum-persons = { $form ->
        [same] { $high ->
            [one] One person is in the picture all the time.
           *[other] { $high } persons are in the picture all the time.
        }
        [none] { $high ->
            [one] Up to one person is in the picture at a time, { $mean } on average.
           *[other] Up to { $high } persons are in the picture at a time, { $mean } on average.
        }
       *[range] { $low } to { $high } persons are in the picture at any time, { $mean } on average.
    }
sum-persons-unfollowed = { $high ->
        [one] One person at a time is seen
       *[other] Up to { $high } persons at a time are seen
    } in { $frames ->
        [one] the only frame looked at
       *[other] { $peopled } of { $frames } frames looked at
    }; nobody could be followed from frame to frame.
sum-no-person = No person was seen.
sum-track = { $move ->
        [left-right] One person (track { $number }) goes from left to right between { $start } and { $end }
        [right-left] One person (track { $number }) goes from right to left between { $start } and { $end }
        [nearer] One person (track { $number }) comes nearer between { $start } and { $end }
        [away] One person (track { $number }) goes away between { $start } and { $end }
        [left] One person (track { $number }) stays in the left part of the picture between { $start } and { $end }
        [right] One person (track { $number }) stays in the right part of the picture between { $start } and { $end }
        [middle] One person (track { $number }) stays in the middle of the picture between { $start } and { $end }
       *[unknown] One person (track { $number }) is seen between { $start } and { $end }
    }{ $nearest ->
        [yes] , nearer to the camera than all others.
       *[no] .
    }
sum-things = Also followed through the video{ $count ->
        [one] {""}
       *[other] , on { $count } tracks, several of which may be one thing
    }: { $things }.
sum-faces-video = { $count ->
        [one] A face was followed on one track; nobody was identified.
       *[other] Faces were followed on { $count } tracks, several of which may be one person; nobody was identified.
    }
sum-poses-video = { $count ->
        [one] Posture was followed on one track.
       *[other] Posture was followed on { $count } tracks, several of which may be one person.
    }
sum-objects = Seen in the picture: { $things }.
sum-nothing = Nothing the models know was recognised in the picture.
sum-faces = { $count ->
        [one] One face is visible; nobody was identified.
       *[other] { $count } faces are visible; nobody was identified.
    }
sum-poses = { $count ->
        [one] The posture of one person was estimated.
       *[other] The posture of { $count } persons was estimated.
    }
sum-mask = Persons cover { $share } of the picture.
sum-scene = A model calls the scene “{ $label }” ({ $score }).
sum-surroundings = { $light ->
        [day] { $place ->
            [indoor] It is day and indoors
            [outdoor] It is day and outdoors
           *[none] It is day
        }
        [night] { $place ->
            [indoor] It is night and indoors
            [outdoor] It is night and outdoors
           *[none] It is night
        }
       *[none] { $place ->
            [indoor] It is indoors
            [outdoor] It is outdoors
           *[none] The surroundings are not clear
        }
    }{ $by ->
        [rule] , by a rule.
       *[model] , by a model.
    }
sum-conflict-scene = One source says { $first ->
        [indoor] indoors
        [outdoor] outdoors
        [day] day
        [night] night
       *[other] { $first }
    }, another { $second ->
        [indoor] indoors
        [outdoor] outdoors
        [day] day
        [night] night
       *[other] { $second }
    }. Both are kept.
sum-conflict-time = The file says { $time }, the light says { $light ->
        [day] day
        [night] night
       *[other] { $light }
    }. Both are kept.
sum-speech = Speech is heard { $times ->
        [one] once
       *[other] { $times } times
    }, { $length } in all, in { $language } ({ $words ->
        [one] one word
       *[other] { $words } words
    }).
sum-no-words = A voice seems to speak for { $length } in all; no word of it was recognised.
sum-no-speech = No speech was heard.

## One line about a medium

head-tracks = { $tracks ->
        [0] no person
        [one] one track, { $mean } persons on average
       *[other] { $tracks } tracks, { $mean } persons on average
    }
head-unfollowed = { $high ->
        [one] one person, not followed
       *[other] up to { $high } persons, not followed
    }
head-faces = { $faces ->
        [one] one face
       *[other] { $faces } faces
    }
head-face-tracks = { $tracks ->
        [one] a face on one track
       *[other] faces on { $tracks } tracks
    }
head-surroundings = { $place ->
        [indoor] indoors
        [outdoor] outdoors
       *[none] {""}
    }{ $light ->
        [none] {""}
       *[other] { $place ->
            [none] {""}
           *[other] {", "}
        }
    }{ $light ->
        [day] day
        [night] night
       *[none] {""}
    }
head-words = { $words ->
        [one] one word
       *[other] { $words } words
    }, { $language }
head-no-words = a voice, no words
head-no-speech = no speech
head-nothing = nothing recognised

## What is not known

unknown-failed = { $named ->
        [yes] { $what }.
       *[no] { $name }: { $what }.
    }
unknown-gap = { $name ->
        [none] {""}
       *[other] { $name }:{" "}
    }{ $start } to { $end } { $stream ->
        [video] of the pictures
        [audio] of the sound
       *[other] {""}
    } { $reason }; { $stream ->
        [audio] words
       *[other] a person
    } may be missing there.
unknown-gap-image = { $name ->
        [none] The picture
       *[other] { $name }
    } { $reason }; a person may be missing there.
unknown-further-pictures = { $name ->
        [none] {""}
       *[other] { $name }:{" "}
    }1 of { $count } pictures in the file was looked at, the first. What the others show is not known.
unknown-stream = { $stream ->
        [audio] The sound{ $name ->
            [none] {""}
           *[other] {" "}of { $name }
        } was not analysed.
        [video] The pictures{ $name ->
            [none] {""}
           *[other] {" "}of { $name }
        } were not analysed.
       *[other] { $name ->
            [none] The file
           *[other] { $name }
        } was not analysed.
    }
unknown-words = { $count ->
        [one] One word{ $name ->
            [none] {""}
           *[other] {" "}in { $name }
        } was heard with less than { $limit } certainty; it is dotted.
       *[other] { $count } words{ $name ->
            [none] {""}
           *[other] {" "}in { $name }
        } were heard with less than { $limit } certainty; they are dotted.
    }
unknown-model = Not looked for: { $what }. No model for it was there.
unknown-unblurred = No picture is shown: without a model for persons and one for faces, nobody in it could be blurred.
unknown-missed = A detector misses persons and things, and sees some that are not there; how many on this material is not measured.
unknown-rules = Indoors, outdoors, day and night are rules over brightness and objects, not a model's finding.
unknown-pictures = { $shown } of { $of } pictures are in this file, so that it stays small enough to send.
unknown-never = Nobody was identified, and nothing about mood, age or intent was looked for.

gap-unreadable = could not be read
gap-truncated = could not be read: the file ends too early
gap-image-truncated = is cut short or damaged: { $share ->
        [none] how much of it could be read is not known
       *[other] at least { $share } of it could be read
    }
gap-no-frames = holds no picture that can be decoded
gap-no-sound = holds no sound that can be decoded
gap-cannot-be-cut = was not analysed: it cannot be cut into segments
gap-not-analysed = was not analysed
gap-decoder-failed = could not be decoded
gap-decoder-limit = could not be decoded within the limits
gap-timeout = took too long to decode
gap-other = is missing ({ $code })

family-detector = persons and things
family-face = faces
family-pose = posture
family-scene = the kind of scene
family-silhouette = the area persons cover
family-voice = when somebody speaks
family-speech = what is said

## What is not promised

promise-n1 = Below tier A, a host with root can read media while it is processed, undetected.
promise-n2 = Deletion at a provider is a confirmed request; nobody can prove a host kept no copy.
promise-n3 = Attestation does not cover physical attacks on the memory bus (TEE.fail, 2025).
promise-n4 = Region labels are the provider's statement.
promise-n5 = Python cannot guarantee that memory is zeroed.
promise-n6 = Using this software does not make a use lawful.

## Headings and labels of the page

report-title = Report { $id }
report-skip = To what was found
report-media-count = { $count ->
        [one] One file
       *[other] { $count } files
    }
report-about-image = One picture, analysed on { $date }, { $time }.
report-about-video = One video of { $length }, analysed on { $date }, { $time }.
report-about-audio = One recording of { $length }, analysed on { $date }, { $time }.
report-about-many = { $count } files ({ $kinds }), analysed on { $date }, { $time }.
report-about-none = Nothing could be analysed; written on { $date }, { $time }.
report-case = Case { $title }.
report-images = { $count ->
        [one] one picture
       *[other] { $count } pictures
    }
report-videos = { $count ->
        [one] one video
       *[other] { $count } videos
    }
report-audios = { $count ->
        [one] one recording
       *[other] { $count } recordings
    }
report-unreadables = { $count ->
        [one] one unreadable
       *[other] { $count } unreadable
    }
report-period = { $start } to { $end } UTC
report-moment = { $at } UTC
report-machine-made = Made by machines.
report-machine-made-text = Every sentence names its evidence. Nobody was identified. A person must check before anything is based on it.
report-found = What was found
report-picture-alt = Picture at { $time } with { $boxes ->
        [one] one marked box
       *[other] { $boxes } marked boxes
    }
report-picture-still-alt = The picture with { $boxes ->
        [one] one marked box
       *[other] { $boxes } marked boxes
    }
report-picture-caption = Evidence { $number }: picture at { $time }
report-picture-caption-track = Evidence { $number }: track { $track } at { $time }
report-picture-caption-still = Evidence { $number }: the picture
report-course = Course
report-course-text = The same as text: persons per moment, tracks, speech and gaps of { $name }
report-persons = Persons
report-tracks = Tracks
report-track = Track
report-tracks-more = { $shown } of { $of }
report-speech = Speech
report-gap = Gap
report-gap-mark = { $length } { $reason }
report-spoken = Spoken
report-find = Find a word
report-found-words = { $count ->
        [0] not found
        [one] one place
       *[other] { $count } places
    }
report-at = At
report-said = Words
report-certainty = Certainty
report-not-known = What is not known
report-origin = Origin
report-file = File
report-models = Models
report-machine = Machine
report-costs = Costs
report-costs-line = { $total } booked up to { $until } UTC, { $reserved } still reserved for job { $job }; what its instances cost after that is booked later
report-ledger = Ledger
report-ledger-line = { $size } entries, head { $root }
report-inputs = Made from
report-measured = Measured
report-measured-pose = { $rate } poses a second
report-machine-line = { $id }, { $what }, tier { $tier }
report-media = Files
report-name = Name
report-kind = Kind
report-kind-image = picture
report-kind-video = video
report-kind-audio = sound
report-kind-none = unknown
report-state = State
report-state-done = done
report-state-partial = done, with gaps
report-state-failed = failed
report-result = Result
report-evidence = Evidence
report-evidence-number = No.
report-evidence-what = What was seen
report-evidence-when = When or where
report-evidence-score = Score
report-evidence-by = By
report-by-rule = rule { $name }
report-by-track = { $model }, ByteTrack
report-frames = { $count ->
        [one] one frame
       *[other] { $count } frames
    }
report-box = box { $x0 }, { $y0 } to { $x1 }, { $y1 }
report-rests-on = rests on
report-kind-of-object = { $label }
report-kind-of-face = face
report-kind-of-pose = posture
report-kind-of-mask = area: { $label }
report-kind-of-scene-label = scene: “{ $label }”
report-kind-of-scene-place = { $label ->
        [indoor] indoors
        [outdoor] outdoors
       *[other] { $label }
    }
report-kind-of-scene-light = { $label ->
        [day] day
        [night] night
       *[other] { $label }
    }
report-kind-of-track = track { $number }: { $label }
report-kind-of-speech = “{ $text }”
report-kind-of-picture = picture
report-kind-of-person-count = persons: { $low } to { $high }, { $mean } on average
report-kind-of-no-person = no person in { $frames } frames
report-kind-of-speech-total = speech: { $times ->
        [one] once
       *[other] { $times } times
    }
report-kind-of-no-words = a voice without words that were recognised
report-kind-of-no-speech = no speech
report-kind-of-nothing-recognised = nothing recognised
report-kind-of-file-time = time in the file: { $text }
report-kind-of-other = { $label }
report-steps = Steps
report-steps-caption = Every attempt, in order, with the time each stage took
report-step = Step
report-step-from = From (UTC)
report-step-took = Took
report-step-where = Instance
report-step-outcome = Outcome
report-step-stages = Stages
report-outcome-done = done
report-outcome-failed = failed
report-outcome-lost = lost
report-outcome-held = held
report-outcome-fenced = fenced
report-outcome-live = live
report-pipeline-image = pictures
report-pipeline-video = video
report-pipeline-audio = sound
report-pipeline-intake = intake
report-pipeline-fuse = report
report-models-caption = Models by family, with the digest that binds their files
report-family = Family
report-version = Version
report-digest = SHA-256
report-licence = Licence
report-costs-caption = What was booked, by instance
report-from = From (UTC)
report-to = To (UTC)
report-amount = Amount
report-total = Total
report-facts = Facts about the files
report-fact = Fact
report-value = Value
report-promises = What is not promised
report-foot = Below tier A, whoever runs the machine can read media while they are processed.
report-page = Page
report-page-of = of
report-stage-fetch = fetch
report-stage-decode = decode
report-stage-infer = infer
report-stage-write = write
report-stage-wait = wait
report-evidence-more = { $shown } of { $of } findings are shown here, those that sentences cite among them; all are in report.json.
report-facts-more = { $count } more in report.json
report-more-pictures = More pictures
