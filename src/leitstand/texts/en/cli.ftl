# What the commands print (docs/cli.md). Names of heads, states and words are looked up by their
# value: cli-head-<column>, cli-state-<job state>, cli-instance-<instance state>.

cli-error = error:
cli-why = why
cli-do = do

cli-next = Next
cli-report = Report
cli-go-on = Go on
cli-drop-it = Drop it
cli-check-with = Check with
cli-start-it = Start it

## Steps of an analysis

cli-head-step-plan = Plan
cli-head-step-instance = Instance
cli-head-step-models = Models
cli-head-step-released = Released

cli-reading = looking at it
cli-sending = encrypted and stored, { $size }
cli-same-file = { $name } { $first ->
    [none] was given twice
   *[other] is the same as { $first }
}; it is analysed once
cli-left-out = { $count ->
    [one] 1 file was left out: it is no picture, video or sound
   *[other] { $count } files were left out: they are no pictures, videos or sound
}

cli-kind-image = { $count ->
    [one] 1 image
   *[other] { $count } images
}
cli-kind-video = { $count ->
    [one] 1 video
   *[other] { $count } videos
}{ $long ->
    [none] {""}
   *[other] {" "}({ $long })
}
cli-kind-audio = { $count ->
    [one] 1 audio
   *[other] { $count } audio files
}{ $long ->
    [none] {""}
   *[other] {" "}({ $long })
}

cli-batch-here = Case { $case }, { $what }. Nothing leaves this computer, no money flows.
cli-batch-away = Case { $case }, { $what }. Encrypted here, { $stored } stored.

cli-this-computer = this computer
cli-own-machine = own machine
cli-cores = { $cores ->
    [one] 1 core, no GPU
   *[other] { $cores } cores, no GPU
}
cli-no-gpu = no GPU
cli-plan-free = { $where }: { $machine }{ $about ->
    [none] {""}
   *[other] ; about { $about }
}
cli-plan-paid = { $machine }, { $where }, tier { $tier }; expected { $expected }, at most { $worst }, finish { $finish }
cli-traffic = Of the most that it costs, { $amount } is for traffic, which this host charges by the gigabyte.
cli-reserves = Reserves { $amount }{ $left ->
    [none] .
   *[other] ; { $left } of the budget is free before that.
}
cli-rent-ask = Rent it and start? [y/N, ? for why]
cli-yes-words = y yes
cli-helps-accelerator = nothing yet: there is no worker for this maker's cards
cli-helps-address-http = worker.advertise_url with https
cli-helps-address-loopback = a worker.advertise_url that the internet reaches
cli-helps-address-private = a worker.advertise_url that the internet reaches
cli-helps-address-unresolvable = a worker.advertise_url with an address in the DNS
cli-helps-agreement = a recorded processing agreement with the provider
cli-helps-boot-files = leitstand images bundle
cli-helps-budget = a higher --max-cost or budget
cli-helps-burst = a deadline (--by), or placement.burst = "full"
cli-helps-criticality = a later --by, so that a bid may be lost once
cli-helps-deadline = a later --by
cli-helps-disk = a lower placement.disk_gib_min
cli-helps-image-age = a newer image with its image_date, and leitstand images bundle
cli-helps-own-first = nothing: an own machine may and can do it
cli-helps-price = a higher price limit of the provider
cli-helps-quarantine = waiting until it is over
cli-helps-region = only an offer at a place that providers.<name>.regions names
cli-helps-regions-unset = naming the allowed regions in providers.<name>.regions
cli-helps-tier = a better tier, or your own machine
cli-chosen = chosen
cli-chosen-head = Chosen
cli-none = nothing, of { $seen } offers
cli-nothing-rented = Nothing was rented or reserved.
cli-silent = { $provider } did not answer ({ $error }); its offers are missing
cli-change-bandwidth = Nothing does; least is missing to { $offer }: it downloads { $to }.
cli-change-budget = It would change if { $to } were left: then { $offer }, { $cost }.
cli-change-deadline = It would change if you had until { $to }: then { $offer }, { $cost }.
cli-change-disk = Nothing does; least is missing to { $offer }: it has { $to } of disk.
cli-change-losses = It would change if { $offer } were lost less than { $to } times an hour.
cli-change-memory = Nothing does; least is missing to { $offer }: it has { $to } of memory.
cli-change-own-price = It would change if the chosen one cost over { $to } an hour: then { $offer }, { $cost }.
cli-change-price = It would change if { $offer } cost under { $to } an hour.
cli-change-price-max = It would change if an hour might cost { $to }: then { $offer }, { $cost }.
cli-change-reliability = Nothing does; least is missing to { $offer }: its reliability is { $to }.
cli-change-vram = Nothing does; least is missing to { $offer }: it has { $to } of VRAM.
cli-bid-critical = No bids: lost once, { $offer } would be late. It would cost less than { $firm } while lost under { $even } times an hour (known: { $known }).
cli-bid-pays = A bid for { $offer } costs less than { $firm } while it is lost under { $even } times an hour (known: { $known }).
cli-aged = { $provider } is slow; its offers are { $age } old
cli-in-vain =
    { $count ->
        [one] One candidate was launched in vain:
       *[other] { $count } candidates were launched in vain:
    }
cli-why-said = { $why }: “{ $said }”
cli-image-old = { $days ->
    [unknown] what machines of { $provider } start from is of an unknown age: set its image_date
   *[other] what machines of { $provider } start from is { $days } days old: pin a newer image with its image_date, and run leitstand images bundle
}
cli-rate-old = { $day ->
    [none] nobody says of which day the rate is that makes euros of dollars: set money.usd_eur_date
   *[other] the rate that makes euros of dollars is of { $day }: set money.usd_eur and money.usd_eur_date
}
cli-prebuilt = An image that has the worker would save about { $time } and { $cost } at each start: leitstand images build
cli-replayed-head = Replay
cli-replayed = the facts that were kept give the same choice again
cli-replayed-not = the facts that were kept give another choice: they were altered, or the rules are newer than the decision
cli-replayed-never = there were too many offers to keep
cli-no-hosts = No machine has a record yet; the first rental makes one.
cli-from-to = { $low } to { $high }
cli-host-bid = bids
cli-host-new = new
cli-host-parole = parole: the next failure is quarantine again
cli-host-quarantine = quarantine until { $until }
cli-host-trusted = trusted
cli-host-watched = watched
cli-offers = { $count ->
    [0] No offer. Leave out a condition to see more.
    [one] 1 offer.
   *[other] { $count } offers.
}

cli-admitted = { $instance } admitted{ $took ->
    [none] {""}
   *[other] {" "}in { $took }
}, all checks passed
cli-models-match = { $names }: digests match
cli-instance-ends = { $instance } ends: { $why }
cli-instance-ended = { $instance } ended: { $why }. Its open segments start again.

cli-files = { $count ->
    [one] 1 file
   *[other] { $count } files
}
cli-live = { $strip }  { $percent } %{ $rate ->
    [none] {""}
   *[other] {"   "}{ $rate } frames/s
}   { $cost }{ $left ->
    [none] {""}
   *[other] {"   "}about { $left } left
}
cli-progress-line = { $name }: { $done } of { $total } segments{ $rate ->
    [none] {""}
   *[other] , { $rate } frames/s
}, { $cost }

cli-media-erased = { $receipts ->
    [none] media erased
   *[other] media erased (receipt { $receipts })
}
cli-media-held = { $until ->
    [none] media kept
   *[other] media held until { $until }
}
cli-kept-segments = media and { $done } of { $total } segments kept{ $until ->
    [none] {""}
   *[other] {" "}until { $until }
}
cli-erased-when-run = They are erased then if Leitstand is running, otherwise by the first command after that time.
cli-seen = { $instances } seen absent; { $after }
cli-releasing = { $instances } asked to end; waiting until its provider does not list it any more
cli-not-seen = { $instances } asked to end, not yet seen absent; { $after }

cli-done = Done in { $time } for { $cost }. { $done } of { $total } media, { $gaps ->
    [0] no gaps
    [one] 1 gap
   *[other] { $gaps } gaps
}.
cli-some-failed = { $count ->
    [one] 1 failed ({ $names })
   *[other] { $count } failed ({ $names })
}. The report has { $done ->
    [0] none
    [one] the other one
   *[other] the other { $done }
}.
cli-some-partial = { $count ->
    [one] 1 could be read in part only ({ $names })
   *[other] { $count } could be read in part only ({ $names })
}; the report marks what is missing.
cli-none-taken = None of the files could be taken; nothing was started.

## Ctrl-C

cli-given-up = Stopped before anything was started; what was sent is erased.
cli-taken-back = What was sent is erased.
cli-taking-back-stopped = Ctrl-C stopped it
cli-interrupted = Stopped here. What a control plane was already asked to do goes on there.
cli-holding = Finishing the segment under way, then releasing. Ctrl-C again stops now.
cli-holding-at = Finishing segment { $segment } of { $name }, then releasing. Ctrl-C again stops now.
cli-stopping = Stopping now.
cli-held = Held.
cli-goes-on = These are the files of { $job }, which was held. It goes on.
cli-cancelled = { $job } is cancelled.
cli-not-yet-gone = { $instances } { $count ->
    [one] is
   *[other] are
} asked to end, not yet seen absent.

## Models

cli-models-needed = Models are missing: { $names }, { $size } to fetch.
cli-models-optional = Not here, so not looked for: { $names } ({ $size }, leitstand models pull).
cli-models-ask = Fetch them now? [y/N]
cli-bundling = Fetching and building the worker for Python { $python } on x86_64, { $accelerator }
cli-bundled = { $files } files, { $size }, for machines with Python { $python }. Running control planes hand them out from now on.
cli-image-building = Building { $name } with { $engine }; this takes minutes.
cli-image-pushing = Pushing { $name }
cli-image-built = { $name } is built: { $image }
cli-image-setting = In leitstand.toml, below [providers.<name>], for providers that may fetch it:
cli-image-setting-here = It is only here. In leitstand.toml, below [providers.docker], for engines that have it; with --push it gets a digest that others can fetch it by:
cli-firewall = { $file } lets a machine dial { $url } ({ $addresses }) and nothing else. There, as root: nft -f { $file }
cli-pulling = Fetching { $names }, { $size }.
cli-pull-fetch = fetching { $name }, { $done } of { $total }
cli-pull-make = preparing { $name }
cli-pulled = fetched, digest matches
cli-pull-done = { $fetched ->
    [0] Nothing to fetch
    [one] 1 model fetched
   *[other] { $fetched } models fetched
}, { $present } were here.
cli-verify-ok = digest matches
cli-verify-missing = missing: { $files }
cli-verify-wrong = wrong digest, set aside: { $files }
cli-verify-changed = { $file } of { $model } was changed; the changed file is kept as { $path }
cli-verified = { $good } verified, { $bad } not.
cli-here = here
cli-absent = –

## Lists and shows

cli-no-jobs = No job yet.
cli-works-for = works for { $jobs }
cli-name-erased = (erased)
cli-no-media = No medium is held.
cli-no-cases = No case yet. leitstand analyze opens one.
cli-no-instances = No instance lives.
cli-some-of = { $shown } of { $total }, what needs a person first; --all shows all.
cli-job-is = { $name } ({ $job }): { $state }. { $done } of { $total } segments, { $cost }, finish { $finish }.
cli-because = Because { $why }
cli-job-held = { $job } finishes its segments, then releases its instance.
cli-job-held-before = { $job } is held already.
cli-listening = The control plane listens: commands at { $operators }, workers at { $workers }. Ctrl-C ends it.
cli-ended = The control plane has ended.
cli-draining = { $instance } finishes what it has and then ends.
cli-state-gaps = { $state }, { $gaps ->
    [one] 1 gap
   *[other] { $gaps } gaps
}
cli-state-proof = State known by { $kind } at { $at }.
cli-reap-asked = Asked { $providers } for all they have under our label, in full, without the database.
cli-reap-stranger = { $id } is called { $label }: it is left alone, because it is not known whether it is yours
cli-reap-others = { $count ->
    [one] 1 instance of another installation was seen and left alone.
   *[other] { $count } instances of other installations were seen and left alone.
}
cli-reap-no-rate = money.usd_eur is not set: here a dollar counts as a euro.
cli-reap-unasked = was not asked ({ $error }); what it has is not known
cli-reap-unlisted = did not say which volumes it keeps ({ $error }); they cost until they are deleted
cli-reap-silent = did not answer ({ $error }); what it has is not known
cli-reap-doubtful = { $id } is called { $label }, and what it was started with does not say so. It may be somebody else's and is left alone: look at it in the provider's console, and end it there if it is yours
cli-reap-ask = { $count ->
    [one] End 1?
   *[other] End { $count }?
} [y/N]
cli-reap-head = Reaped
cli-reap-done = { $all ->
    [True] nothing of ours is listed any more
   *[other] nothing of ours is past its end
}
cli-erase-ask = Erase { $name } ({ $medium }) for good? [y/N]
cli-erased = { $medium } is erased: its key is destroyed, and nothing here opens its files again. A copy of the database made earlier still does, together with a copy of the key folder, until you delete those.
cli-report-stays = The report of { $job } stays { $until ->
    [held] for as long as its case is held
   *[other] until { $until }
}. It holds the name of the file, what the file says of itself (EXIF, too), and what was found in it: pictures cut out and words spoken, where there were any.
cli-identity-secret = Whoever has this identity can read the medium. The export is in the ledger.
cli-downloaded = { $count ->
    [one] 1 encrypted file
   *[other] { $count } encrypted files
} in { $folder }.

cli-state-planned = planned
cli-state-waiting = waiting
cli-state-running = running
cli-state-held = held
cli-state-done = done
cli-state-failed = failed
cli-state-cancelled = cancelled

cli-medium-receiving = receiving
cli-medium-intake = intake
cli-medium-ready = ready
cli-medium-erasing = erasing
cli-medium-erased = erased
cli-medium-failed = failed
cli-medium-partial = in part
cli-medium-done = done
cli-medium-running = running
cli-medium-waiting = waiting

cli-instance-intended = intended
cli-instance-launching = launching
cli-instance-booting = booting
cli-instance-admitting = admitting
cli-instance-ready = ready
cli-instance-draining = draining
cli-instance-pausing = pausing
cli-instance-paused = paused
cli-instance-resuming = resuming
cli-instance-terminating = terminating
cli-instance-terminated = terminated

cli-word-image = image
cli-word-video = video
cli-word-audio = audio

cli-head-nothing = {""}
cli-head-act = ACT
cli-head-actor = ACTOR
cli-head-attempts = ATTEMPTS
cli-head-case = CASE
cli-head-change = CHANGE
cli-head-class = CLASS
cli-head-cost = COST
cli-head-due = DUE
cli-head-entry = ENTRY
cli-head-example = FOR EXAMPLE
cli-head-expected = EXPECTED
cli-head-family = FAMILY
cli-head-finish = FINISH
cli-head-gpu = GPU
cli-head-has = HAS
cli-head-held-until = HELD UNTIL
cli-head-here = HERE
cli-head-holds = HOLDS (95 %)
cli-head-host = HOST
cli-head-label = LABEL
cli-head-provider = PROVIDER
cli-head-end-by = END BY
cli-head-instance = INSTANCE
cli-head-job = JOB
cli-head-kind = KIND
cli-head-length = LENGTH
cli-head-licence = LICENCE
cli-head-machine = MACHINE
cli-head-media = MEDIA
cli-head-medium = MEDIUM
cli-head-misses = MISSES BY
cli-head-model = MODEL
cli-head-name = NAME
cli-head-offers = OFFERS
cli-head-opened = OPENED
cli-head-per-hour = €/H
cli-head-progress = PROGRESS
cli-head-ready = READY
cli-head-probe = PROBE
cli-head-rejected = FALLS ON
cli-head-remedy = WOULD HELP
cli-head-segments = SEGMENTS
cli-head-size = SIZE
cli-head-so-far = SO FAR
cli-head-speed = SPEED
cli-head-state = STATE
cli-head-subject = SUBJECT
cli-head-tier = TIER
cli-head-time = TIME
cli-head-version = VERSION
cli-head-video-per-hour = VIDEO €/H
cli-head-vram = VRAM
cli-head-gb = GB
cli-head-last-use = LAST USE
cli-head-models = MODELS
cli-head-per-day = €/DAY
cli-head-volume = VOLUME
cli-head-where = WHERE
cli-head-why = WHY
cli-head-why-not = WHY NOT
cli-head-worst = AT MOST

## Trust

cli-ledger-ok = { $entries } entries, root { $root }
cli-heads-ok = { $heads ->
    [one] 1 signed head extends the entries before it
   *[other] { $heads } signed heads, every one extends the last
}
cli-state-agrees = State agrees: { $subjects }
cli-count-attempt = { $count ->
    [one] 1 attempt
   *[other] { $count } attempts
}
cli-count-case = { $count ->
    [one] 1 case
   *[other] { $count } cases
}
cli-count-charge = { $count ->
    [one] 1 charge
   *[other] { $count } charges
}
cli-count-decision = { $count ->
    [one] 1 decision
   *[other] { $count } decisions
}
cli-count-instance = { $count ->
    [one] 1 instance
   *[other] { $count } instances
}
cli-count-job = { $count ->
    [one] 1 job
   *[other] { $count } jobs
}
cli-count-key = { $count ->
    [one] 1 key
   *[other] { $count } keys
}
cli-count-medium = { $count ->
    [one] 1 medium
   *[other] { $count } media
}
cli-count-reservation = { $count ->
    [one] 1 reservation
   *[other] { $count } reservations
}
cli-count-result = { $count ->
    [one] 1 result
   *[other] { $count } results
}
cli-count-rent = { $count ->
    [one] 1 rent of a volume
   *[other] { $count } rents of volumes
}
cli-count-task = { $count ->
    [one] 1 task
   *[other] { $count } tasks
}
cli-count-volume = { $count ->
    [one] 1 volume
   *[other] { $count } volumes
}
cli-entry-unreadable = cannot be read
cli-verified-in = Verified in { $time }.
cli-fault-entry-missing = Entry { $place } is missing.
cli-fault-entry-changed = Entry { $place } was changed after it was written.
cli-fault-entry-unreadable = Entry { $place } cannot be read.
cli-fault-entry-astray = Entry { $place } does not follow the entries about its subject.
cli-fault-head-beyond = Head { $place } is beyond the entries that exist.
cli-fault-head-missing = No signed head covers the entries from { $place } on.
cli-fault-head-signature = The signature of head { $place } does not hold.
cli-fault-head-differs = Head { $place } was signed over other entries.
cli-fault-row-gone = { $place } is gone without an entry.
cli-fault-row-changed = { $place } changed without an entry.
cli-ledger-broken = Entries from there on are not proven. Restore the ledger from a backup.

## Doctor

cli-doctor-python = Python
cli-doctor-machine = Machine
cli-doctor-folders = Folders
cli-doctor-settings = Settings
cli-doctor-media = Media tools
cli-doctor-sandbox = Sandbox
cli-doctor-gpu = GPU
cli-doctor-models = Models
cli-doctor-control = Control
cli-doctor-python-is = { $version }, { $machine }
cli-doctor-machine-is = { $cores ->
    [one] 1 core
   *[other] { $cores } cores
}, { $ram } of memory free, { $disk } of disk free
cli-doctor-disk-low = only { $disk } of disk is free. Make room; an analysis needs about { $needed }.
cli-doctor-folders-ok = all can be written, below { $folder }
cli-doctor-settings-ok = { $file }, { $present ->
    [yes] read
   *[no] not there, so defaults hold
}
cli-doctor-media-ok = all here: { $names }
cli-doctor-media-missing = { $names } missing: no analysis on this computer. pip install "leitstand[media]"
cli-doctor-sandbox-ok = { $abilities }: on
cli-doctor-sandbox-lacks = { $missing } is missing; decoders cannot be shut in, so no file is opened. Use Linux 5.13 or newer with Landlock and seccomp, and libseccomp2.
cli-doctor-gpu-none = none found: analysis works, only slower
cli-doctor-gpu-is = { $names }
cli-doctor-models-ok = { $count } of { $total } of the default set are here
cli-doctor-models-some = { $count } of { $total } of the default set are here, { $size } to fetch: leitstand models pull
cli-doctor-image = Image
cli-doctor-rate = Dollar rate
cli-doctor-rate-none = no rate for the dollars of providers is set
cli-doctor-rate-ok = { $rate } € for a dollar, of { $day }
cli-doctor-rate-old = { $rate } € for a dollar, { $day ->
    [none] of a day that nobody says: set money.usd_eur_date
   *[other] of { $day }: set money.usd_eur and money.usd_eur_date
}
cli-doctor-image-none = no provider starts machines from an image
cli-doctor-image-ok = { $ages }
cli-doctor-image-old = { $ages }. Pin a newer image with its image_date, and run leitstand images bundle; from { $most } days on nothing is rented for persons
cli-doctor-providers = Providers
cli-doctor-providers-none = none is set up; analysis runs on this computer
cli-doctor-providers-ok = set up: { $names }
cli-doctor-control-up = version { $version } answers at { $where }
cli-doctor-control-idle = none runs here; a command that needs one starts it
cli-doctor-control-old = version { $version } answers at { $where }, this one is { $ours }. Install the same on both.
cli-doctor-sum = { $good } well, { $improve } to improve, { $broken } broken.

## Problems of the command line

problem-usage = { $detail }
    .do = { $command } --help
problem-unknown-option = no option "{ $given }"
    .do = { $command } --help; a file name that begins with a dash goes after --
problem-unknown-command = no command "{ $given }"
    .do = { $near ->
        [none] { $command } --help
       *[other] { $command } { $near }, or { $command } --help
    }
problem-unexpected-argument = "{ $given }" is one too many
    .do = { $command } --help
problem-missing-argument = { $name } is missing
    .do = { $command } --help
problem-bad-value = { $option } "{ $given }" { $kind ->
        [integer] is no whole number
        [number] is no number
       *[choice] is not one of its values
    }
    .do = { $choices ->
        [none] { $command } --help
       *[other] { $option } { $choices }
    }
problem-bad-id = "{ $given }" is no id
    .why = an id has letters and digits, such as j-71c0; its ending is enough
    .do = take it from leitstand jobs, leitstand media or leitstand instances
problem-case-unnamed = --case has no name
    .do = --case K-2031; without --case it is inbox
problem-no-paths = no file was named
    .do = leitstand analyze bus.jpg clip.mp4
problem-plan-or-paths = --plan starts a decision that has its files, case, class and bounds; no more can be given
    .do = leave out the paths and the other options, or leave out --plan
problem-plan-started = { $plan } was started already, as { $job }
    .why = a plan starts one job; { $job } is { $state }
    .do = { $state ->
        [done] leitstand jobs report { $job } writes its report
        [held] leitstand jobs resume { $job }
        [failed] make a new one: leitstand plan PATH...
        [cancelled] make a new one: leitstand plan PATH...
       *[other] leitstand jobs show { $job }
    }
problem-empty-folder = nothing to analyse in { $path }
    .why = it holds no file that does not begin with a dot
    .do = pass files, or a folder that holds some
problem-not-a-file = { $name } is no regular file
    .why = a pipe or a device has no end that can be waited for
    .do = write it into a file first
problem-unwritable-path = { $path } cannot be written
    .why = { $detail }
    .do = name another folder with --out, or check its permissions
problem-no-report-file = { $path } is not replaced
    .why = it is no report of Leitstand
    .do = name another folder with --out, or move that file away
problem-report-unwritten = the report of { $job } is not written: { $path } cannot be written
    .why = { $detail }; nothing is lost, Leitstand still has it
    .do = leitstand jobs report { $job } --out DIR
problem-folder-unusable = { $folder } cannot be used
    .why = { $detail }
    .do = check its owner and permissions, or set LEITSTAND_HOME to another folder
problem-no-address-to-dial = it is not set what a worker dials
    .why = the rules leave one way open, to worker.advertise_url
    .do = set worker.advertise_url in leitstand.toml
problem-address-unknown = the name in { $url } has no address
    .why = rules hold addresses: a machine that asks for names can carry data away with them
    .do = check worker.advertise_url and the name server of this machine
problem-not-a-network = that is no network: { $detail }
    .do = --admin 198.51.100.0/24
problem-plane-waits = the control plane cannot write: { $detail }
    .why = nothing that is found now could be kept, so the job waits
    .do = make room or mend the database, then it goes on by itself; Ctrl-C twice ends its instances
problem-hold-not-kept = { $job } is not held yet: { $detail }
    .why = the control plane cannot write it down
    .do = make room, then it is held; Ctrl-C again ends its instances now
problem-not-taken-back = { $count ->
        [one] one file that was sent is not erased ({ $medium })
       *[other] { $count } files that were sent are not erased ({ $medium } is one)
    }
    .why = { $detail }
    .do = leitstand media erase { $medium }; leitstand media lists all. Their term ends them anyway
problem-disk-full = no space is left{ $path ->
        [none] {""}
       *[other] {" "}for { $path }
    }
    .do = make room, then run the same command
problem-models-missing = models are missing: { $families }
    .do = leitstand models pull, or add --yes
problem-declined-models = nothing was started: the models were not fetched
    .do = leitstand models pull
problem-no-models = no model is here that could be verified
    .do = leitstand models pull
problem-no-offer-chosen = no offer may take this work
    .why = { $seen ->
        [0] no provider offers anything now
       *[other] of { $seen } offers fell: { $why }
    }
    .do = leitstand offers shows what there is
problem-boot-python = there is no worker for Python { $given }
    .why = known: { $known }
    .do = choose an image with one of these
problem-no-image-builder = nothing here builds images
    .why = looked for: { $names }
    .do = install one, for example: apt install podman
problem-image-name = { $given } is no name of an image
    .do = name it as the registry wants it, in small letters: registry.example/worker
problem-image-base = { $given } does not name what it is by digest
    .why = a tag can be moved, and the image with it
    .do = look the digest up and append it: docker.io/library/ubuntu:22.04@sha256:…
problem-image-failed = the image could not be built or pushed
    .why = { $detail }
    .do = check the network and that this user may use the engine; to push, log in to the registry with the engine's own login
problem-boot-bundle-failed = the worker's files could not be put together
    .why = { $detail }
    .do = check the network and what pip is set up with, then again: leitstand images bundle
problem-not-reachable = nothing was rented: a rented machine could not reach { $url }
    .why = { $why ->
        [loopback] that address means every machine itself
        [private] that address exists in your own network alone
        [unresolvable] that name has no address
        [http] workers speak https alone
       *[other] { $why }
    }
    .do = let worker.advertise_url name an https address that the internet reaches: a small server that runs Leitstand, a port that your router forwards to this computer, a reverse tunnel through a host of your own (ssh -R), or the public entry of a mesh VPN. TLS has to end here, not on the way
problem-too-dear = nothing was started: no offer costs as little as it may
    .why = the cheapest needs { $needs_eur } with a margin for slower work; { $left_eur } is free
    .do = raise --max-cost, or the budget in leitstand.toml
problem-no-report = { $job } has no report
    .why = it is { $state }
    .do = leitstand jobs show { $job }
problem-not-erased = nothing was erased
problem-nothing-stored = { $medium } has no stored files
    .do = leitstand media show { $medium }
problem-medium-failed = { $name } could not be analysed
    .do = leitstand doctor
problem-job-failed = { $job } failed
    .do = leitstand jobs show { $job }
problem-bad-answer = the control plane gave an answer that makes no sense ({ $status } at { $path })
    .do = install the same version on both sides
problem-unknown-variable = no setting is called "{ $given }"
    .do = correct or unset that environment variable
problem-bad-variable = { $name }: { $detail }
    .do = correct or unset that environment variable
cli-no-volumes = No volume is kept. providers.runpod.volumes sets one up.
cli-volume-intended = is being made
cli-volume-ready = kept
cli-volume-deleting = is being deleted
cli-volume-deleted = gone
cli-volume-other = { $provider } bills { $gb } GB for { $name }, which another installation made. Nothing here touches it; if you need it no more, delete it in the provider's console.
cli-volume-ask = Delete { $name }? { $gb } GB, { $price } a day; its models would be fetched again. [y/N]
cli-volume-deleting-now = { $name } is being deleted. It counts as there, and is booked, until the provider lists it no more.
cli-launched-from = { $modality } is launched from { $image }, with launch spec { $digest }: { $disk } of disk, { $vram } of VRAM, CUDA { $cuda }, { $models ->
    [one] 1 model
   *[other] { $models } models
}.
cli-launch-spec-changed = The settings or the bundle have changed since: a launch now would be by { $digest }.
cli-prepay-covers = { $amount } pays for { $time } at { $price } an hour. The instance ends by itself in { $term }, whatever is paid.
cli-prepay-discount = { $provider } gives a discount for it, of at most { $most } for months ahead and next to none for hours; it says which once it is paid.
cli-prepay-loses = Where the instance ends before it is used up, the discount is taken back and { $fee } of the rest is kept: at most { $most } now. At the end of its term { $unused } would be unused and { $then } of that kept.
cli-prepay-ask = Pay { $amount } ahead? [y/N]
cli-prepaid-head = Prepaid
cli-prepaid = { $known ->
    [True] { $amount } for { $instance }: { $months } months, { $discount } off
   *[other] { $amount } for { $instance }; the provider did not say at what discount
}
cli-reap-volume = keeps { $gb } GB as { $name }, for { $price } a day until it is deleted{ $all ->
    [True] .
   *[other] : leitstand volumes delete { $name }, or leitstand reap --all
}
cli-reap-ask-volumes = { $count ->
    [one] Delete this volume, too?
   *[other] Delete these { $count } volumes, too?
} [y/N]
