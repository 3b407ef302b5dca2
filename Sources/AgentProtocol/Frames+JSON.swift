package import ContentDigest
import FoundationEssentials
import UpgradeDomain

// Most frames are about surfaces.

extension RequestFrame: DirectJSON {
    package init(json: JSONReader) throws {
        guard try json.member("verb").string() == "capture" else {
            try self.init(from: json.codable)
            return
        }
        let body = try json.member("body")
        guard try body.optional("secretFiles") == nil else {
            try self.init(from: json.codable)
            return
        }
        let surfaces = try body.member("surfaces").elements(SurfaceRequest.init(json:))
        let capture = CaptureRequest(
            workingDirectory: try body.member("workingDirectory").string(), surfaces: surfaces,
            head: try body.optional("head")?.value(RunHead.self))
        self.init(id: try json.member("id").unsigned32(), request: .capture(capture))
    }

    package func write(to json: JSONWriter) throws {
        guard case .capture(let capture) = request, capture.secretFiles == nil else { return try json.put(value: self) }
        let body = json.member("body")
        if let head = capture.head { try body.member("head").put(value: head) }
        try body.member("surfaces").array(capture.surfaces) { try $0.write(to: $1) }
        body.member("workingDirectory").put(capture.workingDirectory)
        try json.member("id").put(id)
        json.member("verb").put("capture")
    }
}

extension SurfaceRequest: DirectJSON {
    package init(json: JSONReader) throws {
        let name = try json.member("name").name(SurfaceName.self)
        let source = try json.member("source")
        switch source.onlyMember() {
        case ("http", let body)?: self.init(name: name, source: .http(try HTTPSource(json: body.member("_0"))))
        case ("command", let body)?: self.init(name: name, source: .command(try ScriptCommand(json: body.member("_0"))))
        default: self.init(name: name, source: try source.value())
        }
    }

    package func write(to json: JSONWriter) throws {
        json.member("name").put(name)
        let source = json.member("source")
        switch self.source {
        case .http(let http): try http.write(to: source.member("http").member("_0"))
        case .command(let command): try command.write(to: source.member("command").member("_0"))
        case .runtime, .tcp, .unit, .container: try source.put(value: self.source)
        }
    }
}

extension ReplyFrame: DirectJSON {
    package init(json: JSONReader) throws {
        switch try json.member("kind").string() {
        case "surface":
            let surface = try SurfaceReply(json: json.member("body"))
            self.init(re: try json.member("re").unsigned32(), reply: .surface(surface))
        case "captured": self.init(re: try json.member("re").unsigned32(), reply: .captured)
        case "ended":
            let record = try OperationRecord(json: json.member("body"))
            self.init(re: try json.member("re").unsigned32(), reply: .ended(record))
        default: try self.init(from: json.codable)
        }
    }

    package func write(to json: JSONWriter) throws {
        switch reply {
        case .surface(let surface):
            try surface.write(to: json.member("body"))
            json.member("kind").put("surface")
            try json.member("re").put(re)
        case .captured:
            json.member("kind").put("captured")
            try json.member("re").put(re)
        case .ended(let record):
            try record.write(to: json.member("body"))
            json.member("kind").put("ended")
            try json.member("re").put(re)
        case .hello, .preflight, .carried, .started, .running, .output, .tombstoned, .confirmed, .journal, .refused:
            try json.put(value: self)
        }
    }
}

extension SurfaceReply: DirectJSON {
    package init(json: JSONReader) throws {
        let body = try Bytes(json: json.member("body"))
        let contentType = try json.optional("contentType")?.string()
        let duration = try json.member("durationMilliseconds").integer64()
        let errors = try json.optional("errors").map(Bytes.init(json:))
        let failure = try json.optional("failure")?.value(UnknownReason.self)
        let hostTime = try json.member("hostTime").value(WallTime.self)
        let instrument = try json.optional("instrumentDigest")?.name(Digest.self)
        let name = try json.member("name").name(SurfaceName.self)
        let code = try json.optional("resultCode")?.integer()
        self.init(
            name: name, durationMilliseconds: duration, hostTime: hostTime, resultCode: code, body: body,
            truncated: try json.member("truncated").bool(), errors: errors, contentType: contentType,
            instrumentDigest: instrument,
            failure: failure)
    }

    package func write(to json: JSONWriter) throws {
        body.write(to: json.member("body"))
        if let contentType { json.member("contentType").put(contentType) }
        try json.member("durationMilliseconds").put(durationMilliseconds)
        if let errors { errors.write(to: json.member("errors")) }
        if let failure { try json.member("failure").put(value: failure) }
        try json.member("hostTime").put(hostTime.milliseconds)
        if let instrumentDigest { json.member("instrumentDigest").put(instrumentDigest) }
        json.member("name").put(name)
        if let resultCode { try json.member("resultCode").put(resultCode) }
        json.member("truncated").put(truncated)
    }
}

extension Bytes: DirectJSON {
    package init(json: JSONReader) throws {
        let text = try json.string()
        guard let data = Data(base64Encoded: text) else { throw json.corrupted("not base64") }
        self.init([UInt8](data))
    }

    package func write(to json: JSONWriter) { json.put(Data(elements).base64EncodedString()) }
}

extension HTTPSource: DirectJSON {
    package init(json: JSONReader) throws {
        // Typed by a person, or with rarely used fields.
        guard try json.optional("tls") == nil, try json.optional("fleetRequestsPerSecond") == nil,
            let statuses = try json.optional("acceptedStatuses"), let headers = try json.optional("headers"),
            let retries = try json.optional("retriesWhenLimited"), let secrets = try json.optional("secretHeaders"),
            headers.isEmptyObject, secrets.isEmptyObject
        else {
            try self.init(from: json.codable)
            return
        }
        self.init(
            url: try json.member("url").string(), acceptedStatuses: try statuses.elements { try $0.integer() },
            timeoutSeconds: try json.member("timeoutSeconds").integer(), retriesWhenLimited: try retries.integer())
    }

    package func write(to json: JSONWriter) throws {
        guard headers.isEmpty, secretHeaders.isEmpty, tls == nil, fleetRequestsPerSecond == nil else {
            return try json.put(value: self)
        }
        try json.member("acceptedStatuses").array(acceptedStatuses) { try $1.put($0) }
        _ = json.member("headers")
        try json.member("retriesWhenLimited").put(retriesWhenLimited)
        _ = json.member("secretHeaders")
        try json.member("timeoutSeconds").put(timeoutSeconds)
        json.member("url").put(url)
    }
}

extension ScriptCommand: DirectJSON {
    package init(json: JSONReader) throws {
        let arguments = try json.member("arguments").elements { try $0.string() }
        let variables = try json.member("environment")
        let environment: [String: String] = variables.isEmptyObject ? [:] : try variables.value()
        let script = try json.optional("script")?.string()
        let timeout = try json.member("timeoutSeconds").integer()
        self.init(
            arguments: arguments, workingDirectory: try json.optional("workingDirectory")?.string(),
            environment: environment, timeoutSeconds: timeout, script: script)
    }

    package func write(to json: JSONWriter) throws {
        json.member("arguments").array(arguments) { $1.put($0) }
        try json.member("environment").put(value: environment)
        if let script { json.member("script").put(script) }
        try json.member("timeoutSeconds").put(timeoutSeconds)
        if let workingDirectory { json.member("workingDirectory").put(workingDirectory) }
    }
}
