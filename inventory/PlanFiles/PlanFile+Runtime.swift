import FileReading
import SafeText
import UpgradeDomain

/// Runtime proofs of components.
extension RuntimeProof {
    init(_ own: Section<RuntimeKeys>) {
        let source = RuntimeSource(
            manifest: own.value(\.manifest), checkout: own.value(\.checkout), pidFile: own.value(\.pidFile),
            ports: own.value(\.ports), container: own.value(\.container).flatMap { ContainerReference($0) },
            unit: own.value(\.unit), timeoutSeconds: own.value(\.timeoutSeconds))
        if source.links.isEmpty {
            own.reader.report(
                own.line, "\(own.name) proves nothing",
                "set at least one of \(own.keys.choices.joined(separator: ", "))")
        }
        var approved: [Version: ApprovedRelease] = [:]
        for entry in own.value(\.approved) {
            approved[Version(entry.key)] = entry.value.map { release in
                ApprovedRelease(
                    manifest: release.value(\.manifest), commit: release.value(\.commit), image: release.value(\.image))
            }
        }
        self.init(source: source, approved: approved, restarts: own.value(\.restarts))
    }
}

extension ContainerReference {
    init?(_ own: Section<ContainerKeys>) {
        guard let engine = own.value(\.engine), let name = own.value(\.name) else { return nil }
        self.init(engine: engine, name: name)
    }
}

extension PlanRules {
    /// The expected value of each link must be in the plan, for the version before and the version after.
    static func runtimeProblems(_ plan: Plan) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        for (index, layer) in plan.layers.enumerated() {
            for component in layer.components {
                guard let proof = component.runtime else { continue }
                for version in [component.version.from, component.version.to] {
                    let approved = proof.approved[version]
                    let missing = [
                        proof.source.manifest != nil && approved?.manifest == nil ? "manifest" : nil,
                        proof.source.checkout != nil && approved?.commit == nil ? "commit" : nil,
                        proof.source.container != nil && approved?.image == nil ? "image" : nil,
                    ].compactMap(\.self)
                    guard !missing.isEmpty else { continue }
                    problems.append(
                        PlanProblem(
                            place: .layer(index),
                            message:
                                "the runtime proof of \(component.name) does not say what \(version) is: no \(missing.joined(separator: ", "))",
                            remedy: "write it under approved, for version \(version)"))
                }
            }
        }
        return problems
    }
}

// MARK: Keys

// How to add one: see `Key`.

struct RuntimeKeys: KeyTable {
    static let title = "runtime"
    static let meaning =
        "What proves that the running process is the approved release. The agent checks it itself, link by link."
    private static let unset = RuntimeSource()

    let manifest = Key(
        "manifest", .text, "A file as sha256sum writes it, beside the files that it lists.",
        example: "releases/current/SHA256SUMS",
        with: "approved: {\"1.4.0\": {manifest: \(someSHA256)}, \"1.5.0\": {manifest: \(someSHA256)}}")
    let checkout = Key(
        "checkout", .text, "A git working copy that stands at the approved commit, unchanged.", example: ".",
        with: "approved: {\"1.4.0\": {commit: \(someCommit)}, \"1.5.0\": {commit: \(someCommit)}}")
    let pidFile = Key("pidFile", .text, "A file with the id of the process.", example: "run/api.pid")
    let ports = Key(
        "ports", .list(.text(TextRule("port", unquoted: .numbers))), default: [],
        "TCP ports that the process or a child of it listens on, or one of an address.",
        example: "[8080, \"10.0.0.5:8080\", \"${authority}\"]")
    let container = Key(
        "container", .mapping(ContainerKeys()), "The container that runs the process.",
        example: "{engine: podman, name: api}",
        with: "approved: {\"1.4.0\": {image: \(someImage)}, \"1.5.0\": {image: \(someImage)}}")
    let unit = Key("unit", .text, "The systemd unit of the process.", example: "stack-api.service")
    let restarts = Key(
        "restarts", .flag, default: true,
        "The change replaces the process, which then has to be younger than the change.", example: "false",
        with: "unit: stack-api.service")
    let timeoutSeconds = Key(
        "timeoutSeconds", .integer(1...600), default: RuntimeKeys.unset.timeoutSeconds, "For all links together.",
        example: "60", with: "unit: stack-api.service")
    let approved = Key(
        "approved", .map(TextRule("version"), .mapping(ApprovedKeys())), default: [],
        "For each version what it is made of, as far as the links need it.",
        example: "{\"1.4.0\": {commit: \(someCommit)}, \"1.5.0\": {commit: \(someCommit)}}",
        with: "unit: stack-api.service")

    var choices: [String] { [manifest.name, checkout.name, pidFile.name, ports.name, container.name, unit.name] }
}

struct ContainerKeys: KeyTable {
    static let title = "container"
    static let meaning = "A container of the host."

    let engine = Key(
        "engine", .word(ContainerReference.Engine.self), presence: .required(oneOf: ContainerReference.Engine.self),
        "What runs the container.", example: "docker")
    let name = Key(
        "name", .text, presence: .required("name the container"), "The name of the container.", example: "api")
}

struct ApprovedKeys: KeyTable {
    static let title = "approved"
    static let meaning = "What a version is made of."

    let manifest = Key("manifest", .sha256, "The SHA-256 of the manifest file.", example: someSHA256)
    let commit = Key("commit", .commit, "The full id of the commit.", example: someCommit)
    let image = Key(
        "image", .image, "The id of the image, or `name@sha256:...`, as the engine shows it.", example: someImage)
}

// MARK: Forms

let someSHA256 = "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7"
let someCommit = "0123456789abcdef0123456789abcdef01234567"
let someImage = "\"sha256:\(someSHA256)\""

extension Form where Value == Digest {
    static var sha256: Form {
        Form<String>.text(TextRule("SHA-256", pattern: "^(sha256:)?[0-9a-f]{64}$")) { reader, field, text in
            let digits = text.rest(after: "sha256:").map { String($0) } ?? text
            reader.checkHexadecimal(digits, [64], field.line, "a SHA-256")
            return "sha256:\(digits)"
        }.map { Digest($0) }
    }
}

extension Form where Value == String {
    fileprivate static var commit: Form {
        text(TextRule("commit id", pattern: "^([0-9a-f]{40}|[0-9a-f]{64})$")) { reader, field, text in
            reader.checkHexadecimal(text, [40, 64], field.line, "a full commit id")
            return text
        }
    }

    fileprivate static var image: Form {
        text(TextRule("image", pattern: "sha256:")) { reader, field, text in
            if !text.holds("sha256:") {
                reader.report(
                    field.line, "image '\(text)' is floating", "write its id or name@sha256:..., as the engine shows it"
                )
            }
            return text
        }
    }
}

extension FileReader {
    fileprivate func checkHexadecimal(_ text: String, _ lengths: [Int], _ line: Int, _ what: String) {
        let isHexadecimal = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        if lengths.contains(text.utf8.count), isHexadecimal { return }
        report(
            line, "'\(text)' is not \(what)",
            "write \(lengths.map(String.init).joined(separator: " or ")) lower-case hexadecimal digits")
    }
}
