/// Which target may import what; the compiler checks only the edges in Package.swift, which these lists limit.
enum ImportRules {
    /// Each target's folder, and which of our own targets it may import.
    static let own: [(folder: String, imports: Set<String>)] = [
        ("Sources/SafeText", []),
        ("Sources/UpgradeDomain", ["SafeText"]),
        ("Sources/ContentDigest", ["UpgradeDomain"]),
        ("Sources/OperatorCommands", ["SafeText", "UpgradeDomain"]),
        ("Sources/Approvals", ["ContentDigest", "SSHSignatures", "SafeText", "UpgradeDomain"]),
        ("Sources/RolloutEngine", ["Approvals", "OperatorCommands", "SafeText", "UpgradeDomain"]),
        ("Sources/AgentProtocol", ["UpgradeDomain", "ContentDigest"]),
        ("Sources/Ledger", ["OperatorCommands", "SafeText", "UpgradeDomain", "ContentDigest"]),
        ("Sources/SSHSignatures", ["SafeText"]),
        ("Sources/SSHTransport", ["CLibSSH2", "SSHSignatures", "SafeText"]),
        ("Sources/LabFleet", ["OperatorCommands", "UpgradeDomain", "ContentDigest"]),
        ("Sources/CLinux", []),
        ("Sources/Failpoints", ["SafeText"]),
        ("Sources/CLibSSH2", []),
        (
            "agent/AgentRuntime",
            ["SafeText", "UpgradeDomain", "ContentDigest", "AgentProtocol", "Failpoints", "CLinux"]
        ),
        ("agent/lockflight-agent", ["AgentRuntime"]),
        ("inventory/FileReading", ["SafeText", "UpgradeDomain"]),
        ("inventory/Inventory", ["FileReading", "SafeText", "UpgradeDomain"]),
        ("inventory/PlanFiles", ["ContentDigest", "FileReading", "SafeText", "UpgradeDomain"]),
        (
            "inventory/PolicyFiles", ["Approvals", "FileReading", "SSHSignatures", "SafeText", "UpgradeDomain"]
        ),
        ("inventory/InventoryImport", ["SafeText", "UpgradeDomain", "ContentDigest", "FileReading", "Inventory"]),
        (
            "coordinator/CoordinatorRuntime",
            ["OperatorCommands", "UpgradeDomain", "ContentDigest", "RolloutEngine", "AgentProtocol", "Failpoints"]
        ),
        (
            "coordinator/RunViews",
            [
                "Approvals", "SafeText", "OperatorCommands", "UpgradeDomain", "ContentDigest", "RolloutEngine",
                "Ledger",
            ]
        ),
        (
            "coordinator/RunRecord",
            [
                "Approvals", "UpgradeDomain", "ContentDigest", "RolloutEngine", "Ledger", "CoordinatorRuntime",
                "RunViews", "Failpoints", "SafeText",
            ]
        ),
        (
            "coordinator/FleetAccess",
            [
                "OperatorCommands", "UpgradeDomain", "ContentDigest", "SSHTransport", "Inventory",
                "CoordinatorRuntime", "SafeText", "CLinux",
            ]
        ),
        (
            "coordinator/Commands",
            [
                "Approvals", "OperatorCommands",
                "UpgradeDomain", "ContentDigest", "RolloutEngine", "AgentProtocol", "Ledger", "SSHTransport",
                "LabFleet", "FileReading", "Inventory", "InventoryImport", "PlanFiles", "PolicyFiles",
                "SSHSignatures", "CoordinatorRuntime",
                "FleetAccess", "RunRecord",
                "RunViews", "Failpoints", "SafeText", "CLinux",
            ]
        ),
        ("coordinator/lockflight", ["Commands"]),
        ("bench/FanOut", ["SSHTransport"]),
        (
            "bench/Scale",
            ["ContentDigest", "CoordinatorRuntime", "Ledger", "RolloutEngine", "RunRecord", "UpgradeDomain"]
        ),
    ]

    /// Modules that only the named targets may import.
    static let confined: [(module: String, folder: String)] = [
        ("GRDB", "Sources/Ledger"),
        ("CLibSSH2", "Sources/SSHTransport"),
        ("Yams", "inventory/FileReading"),
        ("ArgumentParser", "coordinator/Commands"),
        ("BitCollections", "Sources/RolloutEngine"),
        ("Logging", "Sources/Ledger"),
        ("Logging", "Sources/SSHTransport"),
        ("Logging", "coordinator/CoordinatorRuntime"),
        ("Logging", "coordinator/FleetAccess"),
        ("Logging", "coordinator/Commands"),
    ]

    /// Targets that import nothing but each other and sets of bits, not even the standard library's companions.
    static let pure = [
        "Sources/SafeText", "Sources/UpgradeDomain", "Sources/OperatorCommands", "Sources/RolloutEngine",
    ]

    /// The targets of the agent's static executable; Foundation's ICU data would make it four times as large.
    static let agentFolders = [
        "Sources/SafeText", "Sources/UpgradeDomain", "Sources/ContentDigest", "Sources/AgentProtocol",
        "Sources/SSHSignatures", "agent",
    ]

    private static let ownModules = Set(own.map { String($0.folder.split(separator: "/")[1]) })

    static func violations(in file: SourceFile) -> [Violation] {
        guard file.isSwift, !file.path.hasPrefix("Tests/") else { return [] }
        let imports = imports(in: file)
        return imports.flatMap { problems(of: $0.module, in: file.path, line: $0.line) }
    }

    private static func problems(of module: String, in path: String, line: Int) -> [Violation] {
        let home = own.first { path.hasPrefix($0.folder + "/") }
        var problems: [String] = []
        if let home, ownModules.contains(module), !home.imports.contains(module) {
            problems.append("\(home.folder) must not import \(module): imports point toward UpgradeDomain and SafeText")
        }
        if let home, pure.contains(home.folder), !ownModules.contains(module), module != "BitCollections" {
            problems.append("\(home.folder) is pure and imports no \(module)")
        }
        let homes = confined.filter { $0.module == module }.map(\.folder)
        if !homes.isEmpty, !homes.contains(home?.folder ?? "") {
            problems.append("only \(homes.joined(separator: ", ")) imports \(module)")
        }
        if module == "Foundation", agentFolders.contains(where: { path.hasPrefix($0 + "/") }) {
            problems.append("the agent links this; import FoundationEssentials instead of Foundation")
        }
        return problems.map { Violation(path: path, line: line, problem: $0) }
    }

    private static func imports(in file: SourceFile) -> [(module: String, line: Int)] {
        let importing = /^\s*(?:@\w+ )*(?:(?:public|package|internal|private|fileprivate) )?import (?:\w+ )?(\w+)/
        return file.lines(withAnyOf: ["import "]).compactMap { index, line in
            line.firstMatch(of: importing).map { (String($0.1), index + 1) }
        }
    }

    /// A folder with Swift files that is in no list would escape every rule above.
    static func unlisted(_ files: [SourceFile]) -> [Violation] {
        let folders = own.map(\.folder)
        return files.filter { $0.isSwift && $0.isIn(["Sources", "agent", "coordinator", "inventory", "bench"]) }
            .filter { !$0.isIn(folders) }
            .map { Violation(path: $0.path, line: 1, problem: "its target is not listed in ImportRules.own") }
    }
}
