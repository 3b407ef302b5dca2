import Testing

/// Checks the repository against its own rules.
@Suite struct HouseRuleTests {
    private let tree: SourceTree

    init() throws { tree = try SourceTree.shared.get() }

    private func expectNone(_ violations: [Violation]) {
        for violation in violations { Issue.record("\(violation)") }
    }

    @Test func theTreeIsFound() throws {
        _ = try tree.file("Package.swift")
        #expect(tree.files.filter(\.isSwift).count > 100)
    }

    @Test func importsPointTowardTheDomain() {
        expectNone(tree.files.flatMap(ImportRules.violations) + ImportRules.unlisted(tree.files))
    }

    @Test func targetsStayWithinTheirLimits() {
        expectNone(CircleRules.violations(in: tree.files))
        expectNone(SizeRules.violations(in: tree.files))
        #expect(SizeRules.unsized.isEmpty)
    }

    @Test func everyLibraryHasAPageForDevelopers() throws {
        let front = try tree.file("docs/Lockflight.docc/Lockflight.md")
        let others = ["CLinux", "CLibSSH2", "lockflight", "lockflight-agent"]
        let libraries = ImportRules.own.map(\.folder).filter { !$0.hasPrefix("bench/") }
            .map { String($0.split(separator: "/")[1]) }.filter { !others.contains($0) }
        #expect(libraries.count >= 17)
        for name in libraries {
            #expect(front.text.contains("- ``/\(name)``\n"), "\(name)")
            #expect(tree.exists("docs/Lockflight.docc/\(name).md"), "\(name)")
        }
    }

    @Test func sourcesKeepTheHouseStyle() {
        expectNone(tree.files.flatMap(StyleRules.violations))
    }

    @Test func noFileNamesAPlaceOfOneMachine() {
        expectNone(tree.files.flatMap(PageRules.machinePlaces))
    }

    @Test func everyRelativeLinkLeadsSomewhere() {
        expectNone(tree.files.flatMap { PageRules.brokenLinks(in: $0, exists: tree.exists) })
    }

    @Test func everyPathThatAPageNamesExists() {
        expectNone(tree.files.flatMap { PageRules.missingPaths(in: $0, exists: tree.exists) })
    }

    @Test func theOperatorGuideExplainsEveryHoldCode() throws {
        let codes = PageRules.holdCodes(in: try tree.file("Sources/UpgradeDomain/HoldCode.swift"))
        #expect(codes.count > 30)
        expectNone(PageRules.missing(codes, in: try tree.file("docs/operator-guide.md")))
    }

    @Test func theReadmeAndTheGuideListEveryExitCode() throws {
        let codes = PageRules.exitCodes(in: try tree.file("coordinator/Commands/Output/ExitStatus.swift"))
        #expect(codes.count >= 9)
        expectNone(PageRules.missingRows(codes, in: try tree.file("README.md")))
        expectNone(PageRules.missingRows(codes, in: try tree.file("docs/operator-guide.md")))
    }

    @Test func everyTestThatAPageNamesExists() throws {
        let page = try tree.file("docs/runbook-mapping.md")
        #expect(PageRules.namedTests(in: page).count > 10)
        expectNone(PageRules.unknownTests(in: page, known: PageRules.testNames(in: tree.files)))
        expectNone(PageRules.rulesWithoutExamples(in: page))
        let guarantees = try tree.file("docs/guarantees.md")
        expectNone(PageRules.unknownTests(in: guarantees, known: PageRules.testNames(in: tree.files)))
    }
}
