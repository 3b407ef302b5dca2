import FileReading
import SafeText
import UpgradeDomain

extension PlanFile {
    static let runtimeKeys = [
        "manifest", "checkout", "pidFile", "ports", "container", "unit", "restarts", "timeoutSeconds", "approved",
    ]
    static let containerKeys = ["engine", "name"]
    static let artifactKeys = ["path", "manifest", "sha256"]
    static let approvedKeys = ["manifest", "commit", "image"]
}

/// Runtime proofs of components.
extension PlanReading {
    func readRuntime(_ field: Field) -> RuntimeProof? {
        guard let own = Section(field, known: PlanFile.runtimeKeys, reader) else { return nil }
        let container = own.field("container").flatMap(readContainer)
        let source = RuntimeSource(
            manifest: own.text("manifest"), checkout: own.text("checkout"), pidFile: own.text("pidFile"),
            ports: own.texts("ports") ?? [], container: container, unit: own.text("unit"),
            timeoutSeconds: own.integer("timeoutSeconds", in: 1...600) ?? 30)
        if source.links.isEmpty {
            reader.report(
                field.line, "\(field.name) proves nothing",
                "set at least one of manifest, checkout, pidFile, ports, container, unit")
        }
        var approved: [Version: ApprovedRelease] = [:]
        for entry in own.field("approved").map({ reader.pairs($0) }) ?? [] {
            approved[Version(entry.key)] = readApproved(entry.value)
        }
        return RuntimeProof(source: source, approved: approved, restarts: own.flag("restarts") ?? true)
    }

    private func readContainer(_ field: Field) -> ContainerReference? {
        guard let own = Section(field, known: PlanFile.containerKeys, reader),
            let word = own.requiredText(
                "engine",
                "write one of: \(ContainerReference.Engine.allCases.map(\.rawValue).joined(separator: ", "))"),
            let engine = choice(word, ContainerReference.Engine.self, own.line(of: "engine")),
            let name = own.requiredText("name", "name the container")
        else { return nil }
        return ContainerReference(engine: engine, name: name)
    }

    /// A path, `{path, sha256}`, or `{manifest, sha256}` for a manifest and every file that it lists.
    func readArtifact(_ field: Field) -> RollbackArtifact? {
        guard field.isMapping else { return reader.text(field).map { RollbackArtifact(path: $0) } }
        guard let own = Section(field, known: PlanFile.artifactKeys, reader) else { return nil }
        let manifest = own.text("manifest")
        guard let path = manifest ?? own.text("path"), manifest == nil || own.text("path") == nil else {
            reader.report(own.line, "\(own.name) needs one path", "write either 'path:' or 'manifest:'")
            return nil
        }
        let digest = own.requiredText("sha256", "write its expected SHA-256").map { readSHA256($0, own) }
        return RollbackArtifact(path: path, sha256: digest, isManifest: manifest != nil)
    }

    private func readSHA256(_ text: String, _ own: Section) -> Digest {
        let digits = text.rest(after: "sha256:").map { String($0) } ?? text
        checkHexadecimal(digits, [64], own.line, "a SHA-256")
        return Digest("sha256:\(digits)")
    }

    private func readApproved(_ field: Field) -> ApprovedRelease? {
        guard let own = Section(field, known: PlanFile.approvedKeys, reader) else { return nil }
        var release = ApprovedRelease(commit: own.text("commit"), image: own.text("image"))
        release.manifest = own.text("manifest").map { readSHA256($0, own) }
        if let commit = release.commit {
            checkHexadecimal(commit, [40, 64], own.line(of: "commit"), "a full commit id")
        }
        if let image = release.image, !image.holds("sha256:") {
            reader.report(
                own.line(of: "image"), "image '\(image)' is floating",
                "write its id or name@sha256:..., as the engine shows it")
        }
        return release
    }

    private func checkHexadecimal(_ text: String, _ lengths: [Int], _ line: Int, _ what: String) {
        let isHexadecimal = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        if lengths.contains(text.utf8.count), isHexadecimal { return }
        reader.report(
            line, "'\(text)' is not \(what)",
            "write \(lengths.map(String.init).joined(separator: " or ")) lower-case hexadecimal digits")
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
