# Problems and reasons of the control plane, its stores and its workers.

problem-archive = { $name } was not taken: it is an archive
    .do = unpack it and pass the files in it
problem-asked = a person asked for its end
problem-authority-ended = the internal certificate authority in { $path } has ended
    .why = workers no longer trust this control plane
    .do = while no instance runs, remove ca.key and ca.pem beside it and start again
problem-bad-request = the request was not understood at { $place }
    .why = { $detail }
problem-blobs-full = no space is left in { $where }
    .why = nothing was stored
    .do = make room, then run it again
problem-blobs-refused = the blob store { $where } refuses our credentials
    .do = check the AWS_… or other variables
problem-blobs-unavailable = the blob store { $where } does not answer
    .why = { $reason }
    .do = check the address and network, or the folder's rights
problem-blobs-url = blobs.url is no address of a blob store
    .do = use a folder, s3://, gs:// or az://, without credentials; http only for loopback
problem-body-too-large = what was sent is too large
    .why = at most { $bytes_max } bytes are taken at once
problem-case-class-differs = the case { $case } has data class { $has }, not { $asked }
    .why = a case keeps the class it was opened with
    .do = name another case, or leave --class away
problem-certificates-damaged = the certificates for { $host } in { $folder } cannot be used
    .why = ca.pem, cert.pem and key.pem must be PEM, and the key that of the certificate
    .do = openssl verify -CAfile ca.pem cert.pem; make them anew where it says no
problem-changed-meanwhile = it changed while you looked; nothing was done
    .do = look again, then decide
problem-csr-refused = the certificate request was refused
    .why = { $detail }
problem-digest-differs = what arrived is not what was announced
    .why = its SHA-256 differs
    .do = send it again
problem-dollar-rate-unset = it is not known how many euros a dollar is
    .why = the provider asks dollars, and everything here is in euros
    .do = set the rate in leitstand.toml: money.usd_eur = "0.92", and its day: money.usd_eur_date = 2026-11-20
problem-host-quarantined = other instances failed on its machine, which is left alone for a while
    .do = leitstand hosts says until when; the work goes on elsewhere
problem-end-by = its agreed end has come
problem-gated = { $capability } is not approved
    .why = it identifies or judges persons, and this build has no approvals
    .do = choose a profile without it
problem-gaps-at-intake = { $name } was taken in part: { $gaps ->
        [one] one stretch of it is missing
       *[other] { $gaps } stretches of it are missing
    }
    .why = what is damaged there cannot be decoded
    .do = copy it again; the report of what was read is kept, with the gaps marked
problem-gaps-in-results = { $name } was read in part: { $segments ->
        [one] one segment has a gap
       *[other] { $segments } segments have gaps
    }
    .why = what is damaged there cannot be decoded
    .do = copy it again; the report of what was read is kept, with the gaps marked
problem-gone-by-itself = it ended by itself
    .do = nothing: another instance takes over; on your own machine look into its log in the state folder
problem-held = the job was held
problem-host-exhausted = { $resource ->
        [disk] the machine has no disk space left
        [memory] the machine has no memory left
        [files] the machine has too many open files
        [processes] the machine can start no more processes
       *[device] a disk or device of the machine failed
    }
    .do = mend that, or use another machine, then start the job again
problem-host-out-of-memory = the machine ran out of memory
    .do = use a machine with more memory
problem-idle = nobody needs it any more
problem-incomplete = the attempt ended without all its segments
    .do = nothing: another attempt takes the rest; if the job failed with it, report it with the log of the instance
problem-instance-ending = the instance is ending
    .do = nothing: another instance goes on from the last finished segment
problem-instance-lost = the instance was lost
    .do = nothing: another instance goes on from the last finished segment; if the job failed with it, start it again
problem-internal = Leitstand failed where it should not ({ $error })
    .why = this is a mistake in Leitstand, not in your input
    .do = look into the log of the control plane; what runs goes on
problem-job-changed = { $job } is { $state }; nothing was done
    .do = leitstand jobs show { $job }
problem-key-context-wrong = a key came for another attempt and was not used
    .do = nothing: another attempt is made; if the job failed with it, report it with the log of the control plane
problem-key-destroyed = the key is destroyed
    .why = the medium was erased; nothing here opens it any more
    .do = pass the file again
problem-report-erased = the report of { $job } was erased
    .why = its term is over (retention.reports); nothing here opens it any more
    .do = use the copy that was fetched, or analyse the files again
problem-clock-jumped-back = it waits: the clock of the control plane jumped back
    .why = nothing is launched and no key released by a clock that may be wrong; running instances are left alone
    .do = set the clock right (timedatectl). It goes on when the clock has caught up, after 15 minutes at the latest
problem-key-file-damaged = the key file { $path } is damaged
    .why = its content is not what Leitstand wrote, and it is never replaced on its own
    .do = restore this file from your own copy of the key folder
problem-installation-missing = it is not known which machines are ours: { $path } is missing
    .why = it keeps the eight characters that follow ls1- in the label of every machine rented from here; nothing was ended
    .do = if machines were rented: leitstand reap --installation ID, with those eight characters
problem-installation-damaged = { $path } does not say which machines are ours
    .why = it has to hold eight characters of a-z and 0-9, those that follow ls1- in the label of every machine rented from here
    .do = restore this file from your own copy, or write those characters into it; without it: leitstand reap --installation ID
problem-bad-installation = --installation "{ $given }" is no installation
    .do = --installation and the eight characters that follow ls1- in the label of a machine
problem-key-file-readable = other users can read the key file { $path }
    .why = a key that others may have read protects nothing
    .do = find out who could read it, then: chmod 600 { $path }
problem-key-folder-readable = other users can enter the key folder { $path }
    .why = whoever can enter it may replace or list keys
    .do = chmod 700 { $path }
problem-key-refused = the media key was not released: { $predicate ->
        [attempt-live] its attempt is over
        [fence-current] another attempt has taken over
        [certificate-of-instance] it showed the certificate of another instance
        [attempt-of-instance] the attempt belongs to another instance
        [instance-admitted] its instance is not admitted
        [instance-not-overdue] its instance should have ended by now
        [instance-seen] its provider no longer lists its instance
        [host-not-quarantined] other instances of ours failed on its machine
        [instance-as-offered] its provider has not shown it running as offered
        [hpke-key-known] it has no key of its own to seal to
        [tier-allows-class] its machine may not see media of this data class
        [fuse-on-own-machine] the report is only made on an own machine
        [medium-present] the medium is not there any more
        [medium-not-expired] the term of the medium is over
        [tier-allows-task] the plan allows no such machine
        [no-swap] its machine may write memory to disk (swap)
        [budget-left] what the job may cost is spent
        [job-active] the job is over
        [capabilities-permitted] what it is to look for is not approved
        [worker-clock-near] its clock is wrong
        [own-clock-steady] the clock of the control plane jumped back
       *[other] a condition does not hold ({ $predicate })
    }
    .why = a key goes only to a worker for which every condition holds
    .do = { $predicate ->
        [medium-present] pass the files again
        [medium-not-expired] pass the files again
        [no-swap] switch swap off on that machine, or choose another
        [budget-left] start it anew with a higher --max-cost
        [capabilities-permitted] choose a profile without it
        [tier-allows-class] choose a provider of a better tier, or your own machine
        [tier-allows-task] choose a provider of a better tier, or your own machine
        [fuse-on-own-machine] choose a provider of a better tier, or your own machine
        [worker-clock-near] set the clocks by NTP; then start the job again
        [own-clock-steady] set the clocks by NTP; then start the job again
       *[other] nothing: another attempt is made; if the job failed with it, look into the log of the control plane
    }
problem-launch-rejected = the provider rejected the launch
    .why = the request was wrong; this is a mistake in Leitstand
    .do = report it with the log of the control plane; another offer is tried
problem-ledger-damaged = the ledger has { $entries } entries, but its newest signed head covers { $signed }
    .why = entries or heads were taken away or added behind its back; nothing more is signed, so that this stays visible
    .do = leitstand audit verify, then restore your last copy of the database
problem-lease-expired = its lease ran out
    .why = nothing was heard of it in time
    .do = nothing: another attempt goes on; if the job failed with it, look into the log of the instance and the network to it
problem-legal-hold = { $medium } was not erased
    .why = its case is under legal hold: nothing of it may be erased
    .do = have the hold lifted first
problem-medium-gone = { $medium } is erased and cannot be analysed any more
    .why = an analysis without it would look as if nothing had been found in it
    .do = leave it out, or pass its file again: leitstand plan PATH...
problem-medium-not-ready = { $medium } has not been taken in yet
    .do = wait until leitstand media shows it as ready, then plan again
problem-not-in-profile = { $name } was not analysed: the profile { $profile } looks for nothing in it
    .do = choose another profile, or auto
problem-id-taken = { $id } is the id of another medium
    .do = choose a fresh one, or leave it out
problem-medium-in-use = { $medium } is needed by a job that is not over
    .do = cancel that job first
problem-medium-not-receiving = the medium takes nothing more: it is { $state }
    .do = announce the file anew
problem-medium-unreadable = nothing of { $name } could be decoded
    .do = copy it again, or check it with a player
problem-model-unloadable = the model { $model } cannot be loaded
    .do = leitstand models verify
problem-never-created = the provider never made it
    .do = nothing: another offer is tried
problem-never-ready = it was not ready in time
    .do = nothing: another instance is tried; if none gets ready, check that it can reach worker.advertise_url
problem-no-capacity = the offer was gone
    .do = nothing: another offer is tried
problem-no-certificate = this needs the certificate of an instance
problem-no-funds = the account at the provider has no funds
    .do = top it up, then resume
problem-funds-low = { $provider } has { $balance } EUR left, and what is rented there costs { $needs } EUR in the next two hours
    .why = where credit runs out, all machines there stop, and what lies on their disks may be gone
    .do = top it up; until it is, nothing new is rented there
problem-no-instance-stays = no instance stayed up ({ $launches } tried)
    .why = each one ended before it could work
    .do = leitstand doctor, then the logs of the instances in the state folder
problem-no-progress = it made no progress
    .do = nothing: another attempt goes on; if the job failed with it, check the file with a player, or use a faster machine
problem-not-allowed = { $action } is not allowed to you
    .do = do it from the account that the control plane runs for
problem-not-yet = it is too early; ask again
problem-nothing-to-analyse = nothing here fits the profile { $profile }
    .do = choose another profile, or auto
problem-object-corrupt = a stored segment is damaged
    .why = its ciphertext has another digest than when it was stored
    .do = upload the file again
problem-object-unavailable = a stored segment could not be fetched
    .do = check the blob store, then start the job again
problem-object-unreadable = a stored segment does not open with its key
    .do = upload the file again
problem-orphan = it was found at its provider without a record and is ended; what it cost is booked on no job
    .do = nothing, once it is gone; it appears after a lost database, or where a provider made what it had refused
problem-over-budget = { $cost_eur ->
        [none] not started, the budget ({ $budget }) does not cover it
       *[other] the job had begun and cannot go on, the budget ({ $budget }) does not cover another instance; so far it cost { $cost_eur }
    }
    .why = { $needed_eur } would be reserved; { $left_eur } of { $limit_eur } is free ({ $spent_eur } spent, { $reserved_eur } reserved)
    .do = raise the budget in leitstand.toml, or ask for less
problem-picture-not-encodable = a picture for the report could not be made
    .do = report it with the log of the instance
problem-port-busy = the address { $address } is taken
    .why = another program listens there
    .do = choose another port in leitstand.toml, or end that program
problem-protocol-unknown = the other side speaks another version of the protocol
    .why = this control plane speaks { $ours }
    .do = use the same release on both sides
problem-provider-key-damaged = the key file { $path } of { $provider } holds no key
    .why = a key is one line of printable characters without spaces
    .do = write the key into it again, alone, with mode 0600
problem-provider-key-unset = { $provider } has no key
    .why = without one nothing can be rented there
    .do = write the key into a file with mode 0600 and name that file: providers.{ $provider }.key_file
problem-provider-retired = the provider has ended the API that this build speaks
    .do = a newer leitstand; until then choose another provider
problem-provider-unavailable = the provider did not answer
    .do = nothing: it is asked again; if that lasts, check the network, then: leitstand doctor
problem-report-too-large = the report is too large to store
    .why = all findings of a job stand in one report
    .do = cancel the job, then analyse fewer files at a time, or with a profile that looks for less
problem-result-too-large = the findings of a segment are too large to store
    .do = cut the file into parts, or choose a profile that looks for less
problem-stopped-by-host = its host stopped it
    .do = nothing: another instance goes on from the last finished segment; choose another offer if it happens again
problem-store-full = no space is left for the database at { $where }
    .why = the change was not kept
    .do = make room, then try again
problem-store-unavailable = the database at { $where } cannot be used
    .why = { $reason ->
        [connection] no connection to it
        [no-connection-free] all its connections are in use
        [closed] the control plane is ending
       *[other] { $reason }
    }
    .do = check that it runs and that nobody else holds it
problem-cancel-not-kept = the end of { $job } could not be written down
    .why = { $store ->
        [store-full] no space is left for the database at { $where }
       *[other] the database at { $where } cannot be used
    }; { $left ->
        [0] none of its instances is left
        [one] its instance is asked to end, not yet seen absent
       *[other] its { $left } instances are asked to end, not yet seen absent
    }
    .do = make room; it is then cancelled, and leitstand jobs cancel { $job } makes sure of it
problem-store-url = store.url is no database address
    .do = use sqlite:////path or postgresql://user@host/name
problem-token-refused = the one-time token is not valid
    .why = it was used, is too old, or belongs to nobody
problem-unauthorized = the provider refuses our key
    .do = check the key file of that provider
problem-unknown-case = there is no case { $case }
    .do = leitstand cases
problem-unknown-decision = there is no plan { $decision }
    .do = make one: leitstand plan PATH...
problem-unknown-instance = there is no instance { $instance }
    .do = leitstand instances
problem-unknown-job = there is no job { $job }
    .do = leitstand jobs
problem-unknown-medium = there is no medium { $medium }
    .do = leitstand media
problem-boot-busy = too many machines are starting at once; the worker's files are handed out later
    .do = nothing: they ask again
problem-no-boot-files = there are no files here from which a machine could become a worker
    .do = leitstand images bundle
problem-unknown-boot-file = no file { $sha256 } belongs to a worker of this version
    .do = leitstand images bundle, then a new launch
problem-unknown-model-file = there is no model file { $sha256 } here
    .do = leitstand models verify
problem-unknown-object = there is no object { $object } here, or it is not yours to read
problem-unknown-path = there is nothing at { $place }
problem-unknown-provider = there is no provider { $provider }
    .why = known: { $known }
    .do = leitstand offers
problem-unknown-segment = the task has no segment { $segment }
problem-unknown-upload = there is no upload { $upload }
    .do = begin it anew
problem-unwanted = nobody needs it any more
problem-upload-incomplete = { $missing } parts of the upload are missing
    .do = send them, then complete it again
problem-upload-malformed = the upload does not fit what was announced
    .do = announce it anew with its real size and digests
problem-worker-error = the worker failed where it should not ({ $error })
    .why = this is a mistake in Leitstand, not in your input
    .do = report it with the log of the instance
problem-decoder-gone = the decoding process on the instance ended
    .why = it was killed or ran out of memory
    .do = nothing: another instance takes the task
problem-control-plane-refused = the control plane refused a request of the worker ({ $reason })
    .why = worker and control plane do not agree
    .do = check that both have the same version
problem-admission = the instance was not admitted: { $reasons }
    .why = it is not what was offered, or cannot protect what it would be given
    .do = nothing: another instance is tried; leitstand doctor for your own machine
problem-unguarded = nothing in it would end it by itself, and it was rented for { $term }
    .why = it has no key of its own from its provider for the dead-man switch; without one, no machine lives longer than two hours
    .do = nothing: the instance is ended and another one is tried; where it happens again, end_by_hours_max = 2 in the settings of its provider
problem-never-shown = its provider never said enough of it: place, image, or cloud
    .why = media go only where the provider itself lists the machine as it was offered
    .do = nothing: another instance is tried
problem-will-not-end = { $provider } was asked to end it and still lists it
    .why = until it is seen gone it bills, so it is not called ended
    .do = end it in the console of { $provider }; it is asked again until it is gone
problem-boot-failed = its machine could not start it
    .why = the log of the machine, or its provider, says that it never will
    .do = nothing: the instance is ended and another one is tried
problem-contended = it computes far slower than others with its GPU: { $has }, at least { $needs } is usual
    .why = somebody else uses it at the same time, it is throttled, or it is not what its name says
    .do = nothing: the instance is ended and another one is tried
problem-list-doubted = { $provider } suddenly lists none of our { $count } instances
    .why = lists fail more often than so many machines at once; nothing is written off, and nothing new is launched there
    .do = look in the console of { $provider }: what is there is found again by itself; a list that stays empty is believed after ten minutes, unless the machines are still heard
problem-mismatch = the provider gave something else than it offered
    .do = nothing: the instance is ended and another one is tried
problem-media-expired = nobody resumed the job before its media were to be erased
    .do = start it anew with the files
problem-fenced = another attempt has taken over; what came late was not kept
problem-unknown-volume = there is no volume { $volume }
    .do = leitstand volumes
problem-volume-in-use = { $volume } was not deleted: an instance has it
    .why = { $instance } reads its models from it
    .do = leitstand instances drain { $instance }     or wait until it has ended
problem-volume-asked = a person wanted that
problem-volume-double = there is an older one in the same place
problem-volume-gone = the provider lists it no more
problem-volume-idle = no instance had it for as long as retention.volumes says
problem-volume-unpaid = the budgets do not pay for its next two hours
problem-volume-unset = the settings do not name its place
problem-prepaid-already = { $instance } was paid for ahead already
    .why = a second payment would be a second loss if it ends early
    .do = leitstand instances show { $instance }
problem-prepay-open = whether { $instance } was paid for ahead is not known
    .why = the answer to the payment was lost, and it is never sent twice
    .do = look in the provider's console
problem-prepay-not-now = nothing can be paid ahead for { $instance } now
    .why = only an instance that is there, serves a job and was not asked to end can be
    .do = leitstand instances show { $instance }
problem-prepay-a-bid = nothing can be paid ahead for { $instance }: its price is a bid
    .do = leitstand instances show { $instance }
problem-prepay-off = nothing is paid ahead at { $provider }
    .why = Vast.ai alone takes that, where providers.vast.reserve is set
    .do = see docs/renting.md
problem-prepay-too-little = that is too little to pay ahead
    .why = the provider takes whole cents of a dollar
    .do = name { $least_eur } € or more
problem-prepay-refused = the provider did not take the payment for { $instance }: { $error }
    .do = leitstand doctor
