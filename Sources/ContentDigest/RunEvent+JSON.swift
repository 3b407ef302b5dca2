package import UpgradeDomain

// Most events of a run are captures and operations.

extension RunEvent: DirectJSON {
    package init(json: JSONReader) throws {
        switch json.onlyMember() {
        case ("captured", let body)?: self = .captured(try CaptureRecord(json: body.member("_0")))
        case ("operationIntended", let body)?: self = .operationIntended(try OperationIntent(json: body.member("_0")))
        case ("operationStarted", let body)?: self = .operationStarted(id: try body.member("id").name())
        case ("operationEnded", let body)?: self = .operationEnded(try OperationRecord(json: body.member("_0")))
        default: try self.init(from: json.codable)
        }
    }

    package func write(to json: JSONWriter) throws {
        switch self {
        case .captured(let record): try record.write(to: json.member("captured").member("_0"))
        case .operationIntended(let intent): try intent.write(to: json.member("operationIntended").member("_0"))
        case .operationStarted(let id): json.member("operationStarted").member("id").put(id)
        case .operationEnded(let record): try record.write(to: json.member("operationEnded").member("_0"))
        case .runStarted, .driverAttached, .driverDetached, .requested, .preflightRecorded, .operationWithdrawn,
            .operationUncertain, .operationConfirmed, .operationReverted, .operationTombstoned, .placementSoaked,
            .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited, .evidencePruned:
            try json.put(value: self)
        }
    }
}

extension CaptureRecord: DirectJSON {
    package init(json: JSONReader) throws {
        let capture = try Capture(json: json.member("capture"))
        let orderedAfter = try json.member("orderedAfter").unsigned()
        let purpose = try CapturePurpose(json: json.member("purpose"))
        self.init(
            purpose: purpose, capture: capture, orderedAfter: orderedAfter,
            verdict: try json.optional("verdict").map(RecordedVerdict.init(json:)))
    }

    package func write(to json: JSONWriter) throws {
        try capture.write(to: json.member("capture"))
        try json.member("orderedAfter").put(orderedAfter)
        try purpose.write(to: json.member("purpose"))
        if let verdict { try verdict.write(to: json.member("verdict")) }
    }
}

extension RecordedVerdict: DirectJSON {
    package init(json: JSONReader) throws {
        let problem = try json.optional("problem")?.value(Problem.self)
        let rules = try json.member("rules").integer()
        guard let verdict = RecordedVerdict(rules: rules, try json.member("verdict").word(), problem) else {
            throw json.corrupted("a problem stands with a failed verdict, and only there")
        }
        self = verdict
    }

    package func write(to json: JSONWriter) throws {
        if let problem = verdict.problem { try json.member("problem").put(value: problem) }
        try json.member("rules").put(rules)
        json.member("verdict").put(word)
    }
}

extension CapturePurpose: DirectJSON {
    package init(json: JSONReader) throws {
        switch json.onlyMember() {
        case ("baseline", _)?: self = .baseline
        case ("drift", let body)?: self = .drift(attempt: try body.member("attempt").integer())
        case ("verification", let body)?: self = .verification(attempt: try body.member("attempt").integer())
        case ("boundary", let body)?: self = .boundary(try Boundary(json: body.member("_0")))
        default: try self.init(from: json.codable)
        }
    }

    package func write(to json: JSONWriter) throws {
        switch self {
        case .baseline: _ = json.member("baseline")
        case .drift(let attempt): try json.member("drift").member("attempt").put(attempt)
        case .verification(let attempt): try json.member("verification").member("attempt").put(attempt)
        case .boundary(let boundary): try boundary.write(to: json.member("boundary").member("_0"))
        case .postFailure, .beforeRollback, .rollbackVerification, .rollbackProof, .recheck, .reproof:
            try json.put(value: self)
        }
    }
}

extension Boundary: DirectJSON {
    package init(json: JSONReader) throws {
        switch json.onlyMember() {
        case ("preflight", _)?: self = .preflight
        case ("baseline", _)?: self = .baseline
        case ("end", _)?: self = .end
        case ("layer", let body)?: self = .layer(try body.member("_0").name())
        case ("batch", let body)?:
            let index = try body.member("index").integer()
            self = .batch(layer: try body.member("layer").name(), index: index)
        default: try self.init(from: json.codable)
        }
    }

    package func write(to json: JSONWriter) throws {
        switch self {
        case .preflight: _ = json.member("preflight")
        case .baseline: _ = json.member("baseline")
        case .end: _ = json.member("end")
        case .layer(let layer): json.member("layer").member("_0").put(layer)
        case .batch(let layer, let index):
            let body = json.member("batch")
            try body.member("index").put(index)
            body.member("layer").put(layer)
        }
    }
}

extension Capture: DirectJSON {
    package init(json: JSONReader) throws {
        let omits = try json.optional("omits")?.elements { try $0.name(SurfaceName.self) }
        let subject = EvidenceSubject(try json.member("subject").string())
        let surfaces = try json.member("surfaces").elements(SurfaceReading.init(json:))
        self.init(subject: subject, takenAt: try json.member("takenAt").value(), surfaces: surfaces, omits: omits)
    }

    package func write(to json: JSONWriter) throws {
        if let omits { json.member("omits").array(omits) { $1.put($0) } }
        json.member("subject").put(subject.description)
        try json.member("surfaces").array(surfaces) { try $0.write(to: $1) }
        try json.member("takenAt").put(takenAt.milliseconds)
    }
}

extension SurfaceReading: DirectJSON {
    package init(json: JSONReader) throws {
        let duration = try json.member("durationMilliseconds").integer64()
        let instrument = try json.optional("instrumentDigest")?.name(Digest.self)
        let items = try json.member("items").elements(EvidenceItem.init(json:))
        let name = try json.member("name").name(SurfaceName.self)
        let printed = try json.optional("printed")?.elements { try $0.string() }
        let raw = try json.optional("rawDigest")?.name(Digest.self)
        let code = try json.optional("resultCode")?.integer()
        let role = try json.member("role").word(SurfaceRole.self)
        self.init(
            name: name, role: role, durationMilliseconds: duration, resultCode: code, rawDigest: raw,
            instrumentDigest: instrument, unknown: try json.optional("unknown")?.value(), items: items, printed: printed
        )
    }

    package func write(to json: JSONWriter) throws {
        try json.member("durationMilliseconds").put(durationMilliseconds)
        if let instrumentDigest { json.member("instrumentDigest").put(instrumentDigest) }
        json.member("items").array(items) { $0.write(to: $1) }
        json.member("name").put(name)
        if let printed { json.member("printed").array(printed) { $1.put($0) } }
        if let rawDigest { json.member("rawDigest").put(rawDigest) }
        if let resultCode { try json.member("resultCode").put(resultCode) }
        json.member("role").put(role)
        if let unknown { try json.member("unknown").put(value: unknown) }
    }
}

extension EvidenceItem: DirectJSON {
    package init(json: JSONReader) throws {
        let health = try json.member("health").word(Health.self)
        let key = try json.member("key").string()
        self.init(key: key, value: try json.member("value").string(), health: health)
    }

    package func write(to json: JSONWriter) {
        json.member("health").put(health)
        json.member("key").put(key)
        json.member("value").put(value)
    }
}

extension OperationIntent: DirectJSON {
    package init(json: JSONReader) throws {
        let action = try OperationAction(json: json.member("action"))
        let attempt = try json.member("attempt").integer()
        let boundary = try Boundary(json: json.member("boundary"))
        let epoch = try json.member("epoch").value(Epoch.self)
        let id = try json.member("id").name(OperationID.self)
        let placement = try json.member("placement").value(Placement.self)
        let planDigest = try json.member("planDigest").name(Digest.self)
        self.init(
            id: id, placement: placement, action: action, attempt: attempt, boundary: boundary, planDigest: planDigest,
            epoch: epoch, revert: try json.optional("revert")?.value())
    }

    package func write(to json: JSONWriter) throws {
        action.write(to: json.member("action"))
        try json.member("attempt").put(attempt)
        try boundary.write(to: json.member("boundary"))
        try json.member("epoch").put(epoch.number)
        json.member("id").put(id)
        json.member("placement").put(placement.description)
        json.member("planDigest").put(planDigest)
        if let revert { try json.member("revert").put(value: revert) }
    }
}

extension OperationAction: DirectJSON {
    package init(json: JSONReader) throws {
        switch json.onlyMember() {
        case ("step", let body)?: self = .step(name: try body.member("name").name())
        case ("rollback", _)?: self = .rollback
        default: try self.init(from: json.codable)
        }
    }

    package func write(to json: JSONWriter) {
        switch self {
        case .step(let name): json.member("step").member("name").put(name)
        case .rollback: _ = json.member("rollback")
        }
    }
}

extension OperationRecord: DirectJSON {
    package init(json: JSONReader) throws {
        let duration = try json.member("durationMilliseconds").integer64()
        let id = try json.member("id").name(OperationID.self)
        let outcome = try OperationOutcome(json: json.member("outcome"))
        let bytes = try json.member("outputBytes").integer64()
        let outputDigest = try json.optional("outputDigest")?.name(Digest.self)
        let tail = try json.member("outputTail").string()
        let scriptDigest = try json.optional("scriptDigest")?.name(Digest.self)
        let copyVanished = try json.optional("copyVanished")?.bool()
        let scriptReplaced = try json.optional("scriptReplaced")?.bool()
        self.init(
            id: id, outcome: outcome, startedAt: try json.optional("startedAt")?.value(),
            durationMilliseconds: duration,
            outputBytes: bytes, outputDigest: outputDigest, scriptDigest: scriptDigest, outputTail: tail,
            copyVanished: copyVanished, scriptReplaced: scriptReplaced)
    }

    package func write(to json: JSONWriter) throws {
        if let copyVanished { json.member("copyVanished").put(copyVanished) }
        try json.member("durationMilliseconds").put(durationMilliseconds)
        json.member("id").put(id)
        try outcome.write(to: json.member("outcome"))
        try json.member("outputBytes").put(outputBytes)
        if let outputDigest { json.member("outputDigest").put(outputDigest) }
        json.member("outputTail").put(outputTail)
        if let scriptDigest { json.member("scriptDigest").put(scriptDigest) }
        if let scriptReplaced { json.member("scriptReplaced").put(scriptReplaced) }
        if let startedAt { try json.member("startedAt").put(startedAt.milliseconds) }
    }
}

extension OperationOutcome: DirectJSON {
    package init(json: JSONReader) throws {
        switch json.onlyMember() {
        case ("exited", let body)?: self = .exited(code: try body.member("code").integer())
        default: try self.init(from: json.codable)
        }
    }

    package func write(to json: JSONWriter) throws {
        switch self {
        case .exited(let code): try json.member("exited").member("code").put(code)
        case .signaled, .timedOut, .interrupted, .rebooted, .guardrailRefused, .notStarted: try json.put(value: self)
        }
    }
}
