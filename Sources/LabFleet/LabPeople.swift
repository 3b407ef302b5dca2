import UpgradeDomain

/// The people of a lab whose approvals are signed: their keys, and the policy that names them.
struct LabPeople {
    let lab: Lab

    /// Who owns a layer beside its owner, so that two people can approve it.
    static let deputy = "deputy"
    /// Who is on call at night.
    static let onCall = "night"

    private var owners: [String] { lab.layout.layers.map(LabFiles.owner) }
    private var folder: String { lab.peopleFolder }

    /// Writes a key without a passphrase for each person, one for break-glass for the first owner, and the policy.
    func make() async throws(LabError) {
        try LabFile.makeFolder(folder)
        var keys: [String: String] = [:]
        for name in owners + [LabPeople.deputy, LabPeople.onCall, breakGlassName] {
            try await LabCommand.require(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", "\(folder)/\(name)"])
            keys[name] = try LabFile.read("\(folder)/\(name).pub")
        }
        try LabFile.write(policy(keys), to: lab.policyPath)
    }

    private var breakGlassName: String { "\(owners[0])-break-glass" }

    private func policy(_ keys: [String: String]) -> String {
        func key(_ name: String) -> String { "[\(keys[name]?.split(separator: "\n").first ?? "")]" }
        let signers = lab.policySigners
        var lines = ["# Who may approve what in this lab. Their keys are in people/.", "format: 1", "people:"]
        for name in owners + [LabPeople.deputy, LabPeople.onCall] {
            lines += ["  \(name):", "    keys: \(key(name))"]
            if name == owners[0] { lines.append("    breakGlassKeys: \(key(breakGlassName))") }
        }
        lines += ["signers: {people: [\(signers.joined(separator: ", "))], threshold: 2}", "layers:"]
        for (index, layer) in lab.layout.layers.enumerated() {
            // The lowest layer takes two people.
            lines.append(
                "  \(layer): {owners: [\(LabFiles.owner(of: layer)), \(LabPeople.deputy)], threshold: \(index == 0 ? 2 : 1)}"
            )
        }
        lines.append("onCall: {people: [\(LabPeople.onCall)]}")
        return lines.joined(separator: "\n") + "\n"
    }
}
