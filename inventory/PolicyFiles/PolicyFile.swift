package import Approvals
package import FileReading
package import UpgradeDomain

/// Reads policy files.
package enum PolicyFile {
    private static let mapping = Mapping(PolicyKeys())

    /// The policy that a text describes, as the version of a ledger's policy that it would become.
    ///
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: the file name in problem reports.
    ///   - ledger: what the policy is about.
    ///   - version: 1, or one more than the current one.
    ///   - time: when it is issued.
    package static func read(
        text: String, file: String, ledger: LedgerID, version: Int, issuedAt time: WallTime
    ) throws(FileProblems) -> Policy {
        let reader = FileReader(file: file)
        guard let root = reader.root(of: text), let section = Section(root, mapping, reader) else {
            try reader.finish()
            throw FileProblems([])
        }
        let reading = PolicyReading(section: section)
        let policy = reading.policy(of: ledger, version: version, issuedAt: time)
        // What was refused is missing below, and would be reported again.
        try reader.finish()
        guard let policy else { throw FileProblems([]) }
        for flaw in policy.problems { reader.report(reading.line(of: flaw.place), flaw.message, flaw.remedy) }
        try reader.finish()
        return policy
    }
}

/// One reading of a policy's root mapping.
private struct PolicyReading {
    let section: Section<PolicyKeys>
    private let people: [MapEntry<Section<PersonKeys>>]
    private let layers: [MapEntry<Section<PolicyLayerKeys>>]

    init(section: Section<PolicyKeys>) {
        self.section = section
        _ = section.value(\.format)
        people = section.value(\.people)
        layers = section.value(\.layers)
        if section.field(\.people) == nil {
            section.reportMissing(\.people, "nobody is under 'people'", ifWhole: true)
        }
        if section.field(\.layers) == nil {
            section.reportMissing(\.layers, "no layer has owners", ifWhole: true)
        }
    }

    /// Nil, with a problem recorded, if a part of it is missing or refused.
    func policy(of ledger: LedgerID, version: Int, issuedAt time: WallTime) -> Policy? {
        let rules = section.value(\.rules)
        guard let signers = section.value(\.signers).map(group) else { return nil }
        return Policy(
            ledger: ledger, version: version, issuedAt: time,
            people: Dictionary(
                people.compactMap { entry in entry.value.map { (Owner(entry.key), person($0)) } }
            ) { first, _ in first },
            signers: signers,
            layers: Dictionary(
                layers.compactMap { entry in entry.value.map { (LayerName(entry.key), layer($0)) } }
            ) { first, _ in first },
            onCall: section.value(\.onCall).map(group), builders: section.value(\.builders).map(group),
            rules: rules.map { rules in
                PolicyRules(
                    notAuthor: rules.value(\.notAuthor), notStarter: rules.value(\.notStarter),
                    requiresTouch: rules.value(\.requiresTouch), minimumRSABits: rules.value(\.minimumRSABits))
            } ?? PolicyRules(),
            revokedKeys: Set(section.value(\.revokedKeys)).sorted())
    }

    private func person(_ own: Section<PersonKeys>) -> PolicyPerson {
        PolicyPerson(
            keys: own.value(\.keys), breakGlassKeys: own.value(\.breakGlassKeys), accounts: own.value(\.accounts))
    }

    private func group(_ own: Section<GroupKeys>) -> PolicyGroup {
        PolicyGroup(people: own.value(\.people).map { Owner($0) }, threshold: own.value(\.threshold))
    }

    private func layer(_ own: Section<PolicyLayerKeys>) -> PolicyLayer {
        PolicyLayer(
            owners: own.value(\.owners).map { Owner($0) }, threshold: own.value(\.threshold),
            oneWayThreshold: own.value(\.oneWayThreshold))
    }

    /// Where a part of the document is in the file.
    func line(of place: PolicyFlaw.Place) -> Int {
        switch place {
        case .document: section.line
        case .signers: section.line(of: \.signers)
        case .onCall: section.line(of: \.onCall)
        case .builders: section.line(of: \.builders)
        case .rules: section.line(of: \.rules)
        case .revokedKeys: section.line(of: \.revokedKeys)
        case .person(let name):
            people.first { $0.key == name.rawValue }?.line ?? section.line(of: \.people)
        case .layer(let name):
            layers.first { $0.key == name.rawValue }?.line ?? section.line(of: \.layers)
        }
    }
}
