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

problem-empty-file = { $name } has nothing to analyse: it is empty (0 bytes)
problem-playlist = { $name } was not taken: it is a playlist, not a video
    .why = it names { $files ->
        [one] one other file
       *[other] { $files } other files
    }; Leitstand opens only what you hand it
    .do = pass those files
problem-encrypted-file = { $name } was not taken: it is encrypted
    .why = Leitstand has no key for it
    .do = decrypt it first
problem-not-media = { $name } was not taken: it is no picture, video or sound
    .why = its content is { $found }
    .do = pass an image, a video or an audio file
problem-no-frames = { $name } has nothing to analyse: its video holds no picture
    .do = copy it again, or check it with a player
problem-no-sound = { $name } has nothing to analyse: it holds no sound
    .do = copy it again, or check it with a player
problem-unreadable-media = { $name } could not be read: { $detail }
    .do = copy it again, or check it with a player
problem-too-many-pixels = { $name } was not taken: it has { $pixels } pixels
    .why = at most { $limit } are decoded, so that a file cannot fill the memory
    .do = make a smaller copy
problem-too-long = { $name } was not taken: it is { $length } long
    .why = at most { $limit } are taken at once
    .do = cut it into parts
problem-too-big = { $name } was not taken: it has { $size }
    .why = at most { $limit } are taken
    .do = make a smaller copy
problem-truncated = { $name } ends in the middle: { $read } of { $total } segments read
    .why = the file is shorter than its index says
    .do = copy it again; the report of { $read } segments is kept, with the gap marked
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

problem-unknown-language = no language "{ $given }"
    .do = { $known }
problem-unknown-profile = no profile "{ $given }"
    .do = { $known }{ $near ->
        [none] {""}
       *[other] {" "}(did you mean { $near }?)
    }
problem-bad-amount = { $option } "{ $given }" is not an amount
    .do = { $option } 4.50
problem-bad-time = { $option } "{ $given }" is not a time
    .do = { $option } 18:00, or: tomorrow 6:00, in 3h, 2026-11-24T06:00
problem-bad-class = { $option } "{ $given }" is no data class
    .do = 0 synthetic, 1 no persons, 2 persons, 3 biometric, minors, intimate or privileged
problem-not-asked = a question needs an answer, and nobody is here to give it
    .why = the input is not a terminal and --yes was not given
    .do = add --yes, and --max-cost to bound what it may cost
problem-declined = nothing was rented or reserved
    .do = leitstand plan shows what else there is
problem-missing-extra = this needs the extra [{ $extra }], which is not installed
    .why = { $missing } is missing
    .do = pip install "leitstand[{ $extra }]"

## Plan, money, access

problem-no-offer = no offer may take this work{ $by ->
        [none] {""}
       *[other] {" "}before { $by }
    }
    .why = { $why }
    .do = { $do }
problem-no-provider = no provider "{ $given }"
    .do = { $known }
problem-budget = not started, the budget of { $scope } does not cover it
    .why = { $needed } would be reserved; { $free } of { $allowed } is free
    .do = raise the budget, or ask for less
problem-max-cost = not started: it may cost { $worst }, { $limit } was allowed
    .do = raise --max-cost to { $worst }, or ask for less
problem-gate = { $capability } is not approved for { $case }
    .do = ask for the approval; someone else then decides
problem-denied = you may not do this
    .why = it needs the role { $role }
    .do = ask an administrator for it
problem-stale = { $subject } changed while you looked; nothing was done
    .do = look again, then repeat it
problem-unknown-id = nothing here is called "{ $given }"
    .do = list what there is, for example: leitstand jobs
problem-ambiguous-id = "{ $given }" is the ending of { $count } ids
    .do = give more of its end: { $candidates }
problem-erased = { $subject } was erased
    .why = its key was destroyed; receipt { $receipt }

## Reaching it

problem-unreachable = the control plane at { $where } does not answer ({ $tries ->
        [one] one try
       *[other] { $tries } tries
    }, { $detail })
    .do = leitstand doctor; what runs there goes on without you
problem-not-started = the control plane on this computer did not start
    .why = { $detail }
    .do = leitstand doctor
problem-locked = another control plane already uses { $path }
    .why = two on one state folder would undo each other's work
    .do = end the other one, or set LEITSTAND_HOME to another folder
problem-address-in-use = { $address } is in use by another program
    .do = choose another port, or end that program
problem-old-client = the control plane at { $where } speaks version { $theirs }, this one { $ours }
    .do = install the same version on both

## State on disk

problem-database-newer = the database at { $path } is newer than this program
    .why = it was written by a later version (revision { $found })
    .do = install that version; nothing was changed
problem-no-space = no space is left on { $path }
    .why = { $needed } is needed, { $free } is free
    .do = make room, then run the same command: it goes on where it stopped
problem-bad-setting = { $file }, line { $line }: { $detail }
    .do = correct that line
problem-unknown-setting = { $file }, line { $line }: no setting "{ $given }"
    .do = correct or remove that line
problem-bad-secret = the secret in { $path } cannot be used
    .why = { $detail }
problem-ledger-broken = the ledger does not verify: { $detail }
    .why = an entry was changed, removed or put elsewhere after it was signed
    .do = entries from there on are not proven; restore the ledger from a backup

## Models

problem-model-missing = no model for { $family } is here
    .do = leitstand models pull
problem-unknown-model = no model "{ $given }"
    .do = leitstand models list
problem-model-digest = the model { $name } is not the one that was signed
    .why = { $file } has the digest { $found }, not { $expected }
    .do = leitstand models pull { $name }, after finding out who changed it
problem-model-source = { $name } could not be fetched from { $source }
    .why = { $detail }
    .do = check the network, then: leitstand models pull { $name }

## How a job, an instance or an attempt ended

problem-cancelled = cancelled by { $by }
problem-worker-lost = the instance was lost { $times ->
        [one] once
       *[other] { $times } times
    }
    .do = run the same command: committed segments are kept
problem-attempts-exhausted = given up after { $attempts } attempts
    .why = the last one ended with: { $last }
    .do = leitstand jobs show { $job }
problem-decoder-failed = the decoder ended on this file
    .why = { $detail }
    .do = copy it again, or check it with a player
problem-decoder-limit = the decoder reached its limit of { $limit }
    .why = a file that needs more is not decoded, so that it cannot fill this machine
    .do = make a smaller copy
problem-admission = the instance was not admitted: { $reasons }
    .do = leitstand doctor
problem-sandbox = this machine cannot shut in the decoder: { $missing } is missing
    .why = files are only opened where a hostile one can do no harm
    .do = use a newer kernel, or another machine
