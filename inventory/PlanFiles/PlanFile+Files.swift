import ContentDigest
import FileReading
import SafeText
import UpgradeDomain

/// The files that a plan carries to its hosts.
extension PlanReading {
    /// Nil where the plan has none.
    func readFiles() -> [CarriedFile]? {
        var files: [CarriedFile] = []
        for field in section.field(\.files).map(reader.list) ?? [] {
            guard let path = reader.text(field) else { continue }
            guard RequestRule.keptPath.fault(in: path) == nil else {
                reader.report(
                    field.line, "'\(path)' is not in the folder of the plan file",
                    "copy it there, and write its path from there: whoever writes a plan may send what it carries")
                continue
            }
            let last = path.cut(atLast: "/").map { String($0.after) } ?? path
            guard let name = reader.name(last, field.line, "file", .word) else { continue }
            guard !files.contains(where: { $0.name == name }) else {
                reader.report(
                    field.line, "two files of the plan are named \(name)", "rename one: commands say ${file.\(name)}")
                continue
            }
            do {
                let text = try carry(path)
                files.append(CarriedFile(name: name, sha256: Digest.sha256(of: Array(text.utf8)), text: text))
            } catch {
                reader.report(field.line, "\(error)", "write the path as it is from the folder of the plan file")
            }
        }
        if files.count > CarriedFile.count {
            reader.report(
                section.line(of: \.files), "the plan carries \(counted(files.count, "file"))",
                "carry at most \(CarriedFile.count)")
        }
        let bytes = files.reduce(0) { $0 + $1.text.utf8.count }
        if bytes > CarriedFile.totalBytes {
            reader.report(
                section.line(of: \.files), "the files have \(bytes) bytes together",
                "carry at most \(CarriedFile.totalBytes): these are the scripts that judge, not what they judge")
        }
        return files.isEmpty ? nil : files
    }
}

extension PlanRules {
    /// Carried files are for what judges. What changes a host, and what takes it back, is kept with the checkout.
    static func fileProblems(_ plan: Plan) -> [PlanProblem] {
        let names = Set((plan.files ?? []).map { "file.\($0.name)" })
        var problems: [PlanProblem] = []
        for (index, layer) in plan.layers.enumerated() {
            let changing = layer.steps.map(\.command) + [layer.rollback.command].compactMap(\.self)
            let paths = layer.rollback.requires.map(\.path) + (layer.rollback.keeps ?? [])
            let used = (changing.flatMap(\.texts) + paths).flatMap(Placeholder.names)
            for name in Set(used).intersection(names).sorted() {
                problems.append(
                    PlanProblem(
                        place: .layer(index),
                        message:
                            "layer \(layer.name) changes its hosts with '${\(name)}', a file that is carried to judge",
                        remedy: "name a script of the checkout"))
            }
        }
        let used = Set(plan.judgingTexts.flatMap(Placeholder.names))
        for name in names.intersection(plan.otherTexts.flatMap(Placeholder.names)).sorted() {
            problems.append(
                PlanProblem(
                    place: .root("files"), message: "'${\(name)}' is named where no command runs",
                    remedy: "only commands can name a carried file: name a file of the host"))
        }
        for name in names.subtracting(used).sorted() {
            problems.append(
                PlanProblem(
                    place: .root("files"), message: "no command names '${\(name)}'",
                    remedy: "use it in evidence, a guardrail or the materialization check, or leave it out"))
        }
        return problems
    }
}

extension Plan {
    private var judges: [SurfaceSource] {
        layers.flatMap(\.components).map(\.observe) + (allEvidence + [representativePath]).map(\.source)
    }

    /// The texts of every command that looks and does not change.
    fileprivate var judgingTexts: [String] {
        let checks = ([materialization] + guardrails + (rollbackGuardrails ?? [])).flatMap(\.texts)
        return checks + judges.filter(\.isCommand).flatMap(\.texts)
    }

    /// Those of everything else that looks.
    fileprivate var otherTexts: [String] {
        let proofs = layers.flatMap(\.components).compactMap(\.runtime).flatMap(\.source.texts)
        return proofs + judges.filter { !$0.isCommand }.flatMap(\.texts)
    }
}
