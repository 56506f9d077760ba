# What went wrong, why, and what to do. `leitstand.core.problem.Problem` names the code; the line
# itself says what happened and stands after "error: ". An attribute that comes out empty is left
# away, so `.do` may depend on a parameter.

problem-unnamed = something failed that has no words yet ({ $code })
    .why = this is a mistake in Leitstand, not in your input
    .do = leitstand doctor
problem-unexpected = Leitstand failed where it should not ({ $kind })
    .why = this is a mistake in Leitstand, not in your input
    .do = run it again with LEITSTAND_DEBUG=1 and report what it prints

## Media

problem-playlist = { $name } was not taken: it is a playlist, not a video
    .why = it names { $entries ->
        [one] one other file
       *[other] { $entries } other files
    }; Leitstand opens only what you hand it
    .do = pass those files
problem-encrypted-file = { $name } was not taken: it is encrypted
    .why = { $kind ->
        [drm] it was sold with a key that Leitstand does not have
       *[other] Leitstand has no key for it
    }
    .do = { $kind ->
        [drm] {""}
       *[other] decrypt it first
    }
problem-not-media = { $name } was not taken: it is no picture, video or sound
    .why = { $kind ->
        [text] it holds text
        [code] it holds program text
        [document] it is a document
        [executable] it is a program
        [application] it belongs to a program
        [font] it is a typeface
       *[unknown] its content is of no kind that Leitstand knows
    }
    .do = pass an image, a video or an audio file
problem-format-unsupported = { $name } was not taken: { $format } cannot be decoded here
    .do = convert it, for example to JPEG or MP4
problem-no-frames = { $name } has nothing to analyse: its video holds no picture that can be decoded
    .do = copy it again, or check it with a player
problem-no-sound = { $name } has nothing to analyse: it holds no sound that can be decoded
    .do = copy it again, or check it with a player
problem-unreadable-media = { $name } could not be read
    .why = it begins like { $format } and then does not follow that format
    .do = copy it again, or check it with a player
problem-truncated-file = { $name } has nothing to analyse: it ends before anything can be decoded
    .why = only { $bytes } bytes are there
    .do = copy it again
problem-too-many-pixels = { $name } was not taken: it has { $width } × { $height } pixels
    .why = at most { $pixels_max } pixels are decoded, so that a file cannot fill the memory
    .do = make a smaller copy
problem-image-too-large = { $name } was not taken: it has { $bytes } bytes
    .why = a picture may have at most { $bytes_max } bytes
    .do = make a smaller copy
problem-too-long = { $name } was not taken: it lasts { $seconds } seconds
    .why = at most { $seconds_max } seconds are taken at once
    .do = cut it into parts
problem-too-many-packets = { $name } was not taken: it is in more than { $packets_max } pieces
    .why = media do not have that many; a file made to waste time does
    .do = convert it with another program, or cut it into parts
problem-cannot-be-cut = { $name } was not taken: its stream { $stream } cannot be cut into segments
    .why = it has { $bytes } bytes, and only { $bytes_max } can be handled in one piece
    .do = convert it with key frames every few seconds, or cut it into parts
problem-intake-died = { $name } was not taken: the decoder ended on it ({ $reason })
    .why = every file is opened in a process with hard limits, and this one broke them
    .do = copy it again, or check it with a player
problem-empty-file = { $name } has nothing to analyse: it is empty (0 bytes)
problem-no-room-for-file = { $name } was not stored: no space is left in { $where }
    .why = what was stored of it is erased
    .do = make room, then pass it again
problem-ends-in-the-middle = { $name } ends in the middle: { $read } of { $whole } read
    .why = the file is shorter than it says
    .do = copy it again; the report of what was read is kept, with the gap marked
problem-picture-in-part = { $name } was read in part{ $share ->
        [none] {""}
       *[other] : at least { $share } of the picture is there
    }
    .why = the file is cut short or damaged
    .do = copy it again; the report of what was read is kept, with the gap marked
problem-read-in-part = { $name } was read in part: { $gaps ->
        [one] one gap
       *[other] { $gaps } gaps
    }, { $missing } in all
    .why = what is damaged there cannot be decoded
    .do = copy it again; the report of what was read is kept, with the gaps marked
problem-vanished = { $name } is gone
    .why = it was there when the job began and cannot be opened now
    .do = put it back and run the same command
problem-not-found = { $path } does not exist
    .do = check the path
problem-unreadable-path = { $path } cannot be read
    .why = { $detail }
    .do = check its permissions
problem-no-files = nothing to analyse in { $path }
    .why = no file in it is a picture, a video or a sound
    .do = pass files, or a folder that holds some
problem-too-many-files = { $count } files are too many for one job
    .why = one job takes at most { $limit }
    .do = pass them in parts

## What was asked for

problem-unknown-profile = no profile "{ $profile }"
    .do = { $profiles }{ $near ->
        [none] {""}
       *[other] {" "}(did you mean { $near }?)
    }
problem-unknown-language = no language "{ $given }"
    .do = { $known }
problem-bad-amount = { $option } "{ $given }" is not an amount
    .do = { $option } 4.50
problem-bad-time = { $option } "{ $given }" is not a time
    .do = { $option } 18:00, or: tomorrow 6:00, in 3h, 2026-11-24T06:00
problem-time-past = { $option } "{ $given }" is in the past
    .do = { $option } 18:00, or: tomorrow 6:00, in 3h
problem-bad-count = { $option } "{ $given }" is too few
    .do = { $option } 1 or more, or leave it out
problem-bad-gib = { $option } "{ $given }" is no size of memory
    .do = { $option } 24 for at least 24 GiB, or leave it out
problem-bad-class = { $option } "{ $given }" is no data class
    .do = 0 synthetic, 1 no persons, 2 persons, 3 biometric, minors, intimate or privileged
problem-not-reaped = { $count ->
    [one] 1 instance was left as it is
   *[other] { $count } instances were left as they are
}
    .do = leitstand reap --yes
problem-reap-left = { $count ->
    [one] 1 instance was asked to end and not seen gone
   *[other] { $count } instances were asked to end and not seen gone
}
    .why = until two lists lack it, it counts as there, and it may bill
    .do = leitstand reap again; then the console of the provider
problem-not-asked = a question needs an answer, and nobody is here to give it
    .why = the input is not a terminal and --yes was not given
    .do = add --yes{ $bound ->
        [none] {""}
       *[other] , and { $bound } to bound what it may cost
    }
problem-declined = nothing was rented or reserved
    .do = leitstand plan shows what else there is
problem-graphics-library-missing = OpenCV cannot be loaded, so no picture can be analysed
    .why = a library of the system is missing ({ $missing })
    .do = apt-get install libgl1 libglib2.0-0
problem-sandbox-lacks = nothing was opened: a decoder cannot be shut in on this computer
    .why = { $missing } is missing, and files are only opened by a process that can reach nothing else
    .do = Linux 5.13 or newer with Landlock and seccomp, and libseccomp2; in a container, allow both. Then: leitstand doctor
problem-missing-extra = this needs the extra [{ $extra }], which is not installed
    .why = { $missing } is missing
    .do = pip install "leitstand[{ $extra }]"

## Plan, money, access

problem-no-offer = no offer may take this work
    .why = { $rejected ->
        [0] no provider offers anything now
        [one] one offer was looked at, and it fell: { $why }
       *[other] { $rejected } offers were looked at, and all fell: { $why }
    }
    .do = leitstand plan says why; wait, use your own machine, or ask for less
problem-plan-outdated = not started, the offer of this plan may not be taken any more
    .why = { $rule }: it has { $has }, now { $needs } is needed
    .do = plan again
problem-ambiguous-id = "{ $given }" is the ending of { $count } ids
    .do = give more of its end: { $candidates }

## Reaching it

problem-unreachable = the control plane at { $where } does not answer ({ $tries ->
        [one] one try
       *[other] { $tries } tries
    }, { $detail })
    .do = leitstand doctor; what runs there goes on without you
problem-no-loopback = this computer cannot connect to itself at { $address }
    .why = workers here reach the control plane by that address; the system says: { $detail }
    .do = ip link set lo up; in a container or sandbox, allow its loopback interface
problem-cannot-listen = this computer cannot listen at { $address }
    .why = the system says: { $detail }
    .do = set worker.listen to an address of this computer, such as 127.0.0.1:0, and a port that you may use; for 127.0.0.1 itself: ip link set lo up
problem-few-descriptors = no more than { $limit } files may be open at once
    .why = the control plane needs { $needed } for its database, its callers and its workers
    .do = begin where ulimit -Hn says { $needed } or more; a service has LimitNOFILE for it
problem-not-started = the control plane on this computer did not start
    .why = { $detail }
    .do = leitstand doctor

## State on disk

problem-locked = another control plane already uses { $folder }
    .why = two on one state folder would undo each other's work
    .do = end the other one, or set LEITSTAND_HOME to another folder
problem-database-elsewhere = the database belongs to another installation
    .why = its ledger is signed by a key that is not in { $folder }, and its keys open with another one
    .do = use the data folder that this database was begun with, or set store.url to another database
problem-database-newer = the database at { $path } is newer than this program
    .why = it was written by a later version (revision { $found })
    .do = install that version; nothing was changed
problem-no-folder = { $path } is no folder
    .why = folders of Leitstand are to lie in it
    .do = move it away, or set LEITSTAND_HOME to a folder
problem-settings-folder = { $file } is a folder
    .why = the settings are a file of this name
    .do = move the folder away; without the file everything has its default
problem-settings-encoding = { $file }, line { $line }: not UTF-8
    .why = the settings are UTF-8 text; this file was saved in another encoding
    .do = save it again as UTF-8
problem-bad-setting = { $file }, line { $line }: { $detail }
    .do = correct that line
problem-unknown-setting = { $file }, line { $line }: no setting "{ $given }"
    .do = correct or remove that line{ $near ->
        [none] {""}
       *[other] {" "}(did you mean { $near }?)
    }

## Models

problem-model-missing = a file of a model is not here ({ $sha256 })
    .do = leitstand models pull
problem-model-unknown = no model "{ $model }"
    .do = { $known }
problem-model-digest-wrong = the model { $model } is not the one in the catalogue
    .why = its digest differs, so it was changed or damaged
    .do = find out who changed it, then: leitstand models verify; leitstand models pull { $model }
problem-model-changed = the model { $model } is not the one in the catalogue: its file { $file } was changed
    .why = its digest is { $actual }, the catalogue says { $expected }; it was not used, and is kept as { $kept } in the folder of the models
    .do = find out who changed it, then: leitstand models pull { $model }
problem-model-source-failed = { $source } could not be fetched
    .why = { $detail }
    .do = check the network, then: leitstand models pull
problem-model-too-large = { $source } was not taken: it has more than { $limit } bytes
    .why = the catalogue says how large a model is; more is not read
    .do = check where the source comes from, then: leitstand models pull
problem-model-archive-broken = { $source } is not the package it should be
    .why = { $member } is missing in it, or cannot be read
    .do = leitstand models pull
problem-model-conversion-differs = the model { $model } came out different from the one in the catalogue
    .why = it was converted with { $libraries }
    .do = install the locked versions, then: leitstand models pull { $model }
problem-model-not-convertible = the model { $model } cannot be converted
    .why = { $detail }
    .do = install Leitstand again, then: leitstand models pull { $model }
problem-model-external-data = the model was refused: it names other files
    .why = a model is one verified file, and what it names would not be verified
    .do = use a model that is one file
problem-model-signature-unknown = the model was refused: its inputs or outputs are not those of its family
    .why = it has { $found }
    .do = choose the family it was made for
problem-model-unavailable = the model { $model } could not be fetched by the instance
    .why = the control plane answered: { $reason }
    .do = leitstand models verify
problem-catalogue-broken = the catalogue of models cannot be used
    .why = { $detail }
    .do = install Leitstand again
problem-no-cuda-runtime = no model can run on { $device }
    .why = the libraries of CUDA are not installed
    .do = pip install "leitstand[media]" onnxruntime-gpu, or use the processor
problem-no-hub-client = models of this hub cannot be fetched
    .why = its client is not installed
    .do = pip install huggingface-hub
problem-no-pip = models from packages cannot be fetched
    .why = { $python } has no pip
    .do = python3 -m ensurepip, or apt install python3-pip

problem-instance-launching = { $instance } was asked for and has not answered yet; it cannot be ended now
    .do = try again in a minute
problem-volume-kept = { $volume } was left as it is
    .do = leitstand volumes delete { $volume } --yes
problem-not-prepaid = nothing was paid ahead for { $instance }
    .do = leitstand instances prepay { $instance } --amount … --yes
problem-reap-volumes-left = { $count ->
    [one] 1 volume was not deleted
   *[other] { $count } volumes were not deleted
}
    .why = a provider keeps one while a machine has it, and it costs until it is gone
    .do = leitstand reap --all
