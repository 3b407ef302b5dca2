// swift-tools-version: 6.2

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

/// An executable that needs nothing of the machine it runs on: no dynamic loader, no library. Identical functions are folded
/// (1 %), and there is no index for unwinding C++ exceptions, which neither the Swift runtime nor libdispatch throws (3 %).
let alone: [LinkerSetting] = [
    .unsafeFlags(
        ["-static-executable", "-Xlinker", "--icf=safe", "-Xlinker", "--no-eh-frame-hdr"],
        .when(configuration: .release))
]

/// For scripts/mutants.py, `FOLDER:TARGET,...`: the targets whose sources come from a copy below that folder.
let mutants = (Context.environment["LOCKFLIGHT_MUTANTS"] ?? "").split(separator: ":")

/// A library target; `folder` is its place in the tree, next to what it belongs to.
func library(
    _ name: String, in folder: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [],
    settings: [SwiftSetting] = []
) -> Target {
    let place = "\(folder)/\(name)"
    let isMutated = mutants.last?.split(separator: ",").contains { $0 == place } ?? false
    return .target(
        name: name, dependencies: dependencies, path: isMutated ? "\(mutants[0])/\(place)" : place,
        resources: resources, swiftSettings: strict + settings)
}

/// A test target under Tests/, named after what it tests.
func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources,
        swiftSettings: strict)
}

let package = Package(
    name: "lockflight",
    products: [
        .executable(name: "lockflight", targets: ["lockflight"]),
        .executable(name: "lockflight-agent", targets: ["lockflight-agent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
    ],
    targets: [
        // Sources/: values, decisions, the ledger, the transport, the lab.
        library("SafeText", in: "Sources"),
        library("UpgradeDomain", in: "Sources", ["SafeText"]),
        // Optimised in every build: it walks over each byte that is read, which takes most of the time of a test otherwise.
        library(
            "ContentDigest", in: "Sources", ["UpgradeDomain", crypto],
            settings: [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        library("OperatorCommands", in: "Sources", ["SafeText", "UpgradeDomain"]),
        library("SSHSignatures", in: "Sources", ["SafeText", crypto, cryptoExtras]),
        // Optimised as well: a fleet has ten thousand leaves.
        library(
            "Approvals", in: "Sources", ["ContentDigest", "SSHSignatures", "SafeText", "UpgradeDomain"],
            settings: [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        library(
            "RolloutEngine", in: "Sources",
            [
                "Approvals", "OperatorCommands", "SafeText", "UpgradeDomain",
                .product(name: "BitCollections", package: "swift-collections"),
            ]),
        library("AgentProtocol", in: "Sources", ["UpgradeDomain", "ContentDigest"]),
        library("Failpoints", in: "Sources", ["SafeText"]),
        library(
            "Ledger", in: "Sources",
            [
                "OperatorCommands", "SafeText", "UpgradeDomain", "ContentDigest", logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .systemLibrary(
            name: "CLibSSH2", path: "Sources/CLibSSH2", pkgConfig: "libssh2",
            providers: [.apt(["libssh2-1-dev"])]),
        .target(name: "CLinux", path: "Sources/CLinux"),
        library(
            "SSHTransport", in: "Sources",
            ["CLibSSH2", "SSHSignatures", "SafeText", nio, nioPosix, crypto, cryptoExtras, logging, subprocess, system]),
        .target(
            name: "LabFleet", dependencies: ["OperatorCommands", "UpgradeDomain", "ContentDigest", subprocess, system],
            path: "Sources/LabFleet",
            resources: [
                "prober.py", "redeploy-host-stack.sh", "rollback-host-stack.sh", "service.py",
                "verify-runtime-guardrails.sh", "verify_runtime_materialization.py",
            ].map { .embedInCode("Stack/\($0)") }, swiftSettings: strict),

        // agent/: what runs on each host.
        library(
            "AgentRuntime", in: "agent",
            [
                "SafeText", "UpgradeDomain", "ContentDigest", "AgentProtocol", "Failpoints", "CLinux", crypto, nio,
                nioPosix,
                nioHTTP1,
            ]),
        .executableTarget(
            name: "lockflight-agent", dependencies: ["AgentRuntime"], path: "agent/lockflight-agent",
            swiftSettings: strict, linkerSettings: alone),

        // coordinator/: what the operator runs.
        library(
            "RunViews", in: "coordinator",
            ["Approvals", "SafeText", "OperatorCommands", "UpgradeDomain", "ContentDigest", "RolloutEngine", "Ledger"]),
        library(
            "CoordinatorRuntime", in: "coordinator",
            [
                "OperatorCommands", "UpgradeDomain", "ContentDigest", "RolloutEngine", "AgentProtocol", "Failpoints",
                logging,
            ]),
        library(
            "RunRecord", in: "coordinator",
            [
                "Approvals", "UpgradeDomain", "ContentDigest", "RolloutEngine", "Ledger", "CoordinatorRuntime",
                "RunViews", "Failpoints", "SafeText",
            ]),
        library(
            "FleetAccess", in: "coordinator",
            [
                "OperatorCommands", "UpgradeDomain", "ContentDigest", "SSHTransport", "Inventory",
                "CoordinatorRuntime", "SafeText", "CLinux", logging, subprocess, system,
            ]),
        library(
            "Commands", in: "coordinator",
            [
                "Approvals", "OperatorCommands",
                "UpgradeDomain", "ContentDigest", "RolloutEngine", "AgentProtocol", "Ledger", "SSHTransport",
                "LabFleet", "FileReading", "Inventory", "InventoryImport", "PlanFiles", "PolicyFiles",
                "SSHSignatures", "CoordinatorRuntime",
                "FleetAccess", "RunRecord",
                "RunViews", "Failpoints",
                "SafeText",
                "CLinux", logging, system,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(
            name: "lockflight", dependencies: ["Commands"], path: "coordinator/lockflight",
            swiftSettings: strict),

        // inventory/: files -> validated domain values.
        library(
            "FileReading", in: "inventory", ["SafeText", "UpgradeDomain", .product(name: "Yams", package: "Yams")]),
        library(
            "PolicyFiles", in: "inventory", ["Approvals", "FileReading", "SSHSignatures", "SafeText", "UpgradeDomain"]),
        library("PlanFiles", in: "inventory", ["ContentDigest", "FileReading", "SafeText", "UpgradeDomain"]),
        library(
            "Inventory", in: "inventory", ["FileReading", "SafeText", "UpgradeDomain"],
            resources: ["fleet.yaml", "upgrade.yaml"].map { .embedInCode("Starter/\($0)") }),

        library(
            "InventoryImport", in: "inventory",
            ["SafeText", "UpgradeDomain", "ContentDigest", "FileReading", "Inventory"]),

        // Tests/Simulator: whole runs in virtual time; built in release by `make simulate`.
        .executableTarget(
            name: "lockflight-simulate",
            dependencies: [
                "Approvals", "UpgradeDomain", "ContentDigest", "RolloutEngine", "RunRecord", "RunViews",
                "AgentProtocol", "AgentRuntime", "Ledger", "CoordinatorRuntime", "CSwiftConcurrency", "SigningKeys",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], path: "Tests/Simulator", exclude: ["CSwiftConcurrency"], swiftSettings: strict),
        .systemLibrary(name: "CSwiftConcurrency", path: "Tests/Simulator/CSwiftConcurrency"),
        // Tests/Sinks: texts as every way out has them, for scripts/sinks.py.
        .executableTarget(
            name: "lockflight-sinks", dependencies: ["SafeText"], path: "Tests/Sinks", swiftSettings: strict),
        // Tests/TestSupport: how long tests wait. Tests/SigningKeys: people who sign, without a program.
        library("TestSupport", in: "Tests", ["ContentDigest"]),
        library("SigningKeys", in: "Tests", ["SSHSignatures", crypto]),
        tests("TestSupportTests", ["TestSupport"]),
        tests("SimulationTests", ["lockflight-simulate", subprocess, system]),
        tests("SafeTextTests", ["SafeText"]),
        tests(
            "SSHSignaturesTests", ["SSHSignatures", "SafeText", crypto, cryptoExtras], exclude: ["Vectors"]),
        tests("UpgradeDomainTests", ["UpgradeDomain", "ContentDigest"]),
        tests("SSHTransportTests", ["SSHSignatures", "SSHTransport", "TestSupport"], exclude: ["askpass"]),
        tests("AgentProtocolTests", ["AgentProtocol", "TestSupport", "UpgradeDomain"]),
        tests(
            "AgentRuntimeTests",
            [
                "AgentRuntime", "AgentProtocol", "ContentDigest", "CoordinatorRuntime", "Inventory", "PlanFiles",
                "RolloutEngine", "TestSupport", "UpgradeDomain", "lockflight-agent",
            ],
            exclude: ["Systemd"]),

        // bench/: what `make bench` measures beside a plain C program.
        .executableTarget(
            name: "lockflight-bench", dependencies: ["SSHTransport"], path: "bench/FanOut", swiftSettings: strict),
        .executableTarget(
            name: "lockflight-bench-scale",
            dependencies: [
                "ContentDigest", "CoordinatorRuntime", "Ledger", "RolloutEngine", "RunRecord", "UpgradeDomain",
            ],
            path: "bench/Scale", swiftSettings: strict),
        tests(
            "EndToEndTests",
            [
                "Approvals", "LabFleet", "Ledger", "UpgradeDomain", "ContentDigest", "SSHTransport", "AgentProtocol",
                "Failpoints",
                "TestSupport",
                "lockflight", subprocess, system,
            ],
            exclude: ["Proxy", "Terminal", "WallClock"]),
        tests(
            "CommandsTests",
            [
                "Approvals", "OperatorCommands",
                "Commands", "ContentDigest", "CoordinatorRuntime", "Ledger", "RolloutEngine", "RunRecord", "RunViews",
                "SafeText", "UpgradeDomain",
                logging, subprocess, system,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        tests(
            "FleetAccessTests",
            ["FleetAccess", "Inventory", "OperatorCommands", "TestSupport", "UpgradeDomain", subprocess, system]),
        tests(
            "CoordinatorRuntimeTests",
            ["CoordinatorRuntime", "RolloutEngine", "AgentProtocol", "Inventory", "PlanFiles", "UpgradeDomain"],
            exclude: ["Bodies"]),
        tests(
            "ApprovalsTests",
            [
                "Approvals", "ContentDigest", "Inventory", "LabFleet", "PlanFiles", "RolloutEngine", "SafeText",
                "SSHSignatures", "SigningKeys", "UpgradeDomain", crypto,
            ]),
        tests("ContentDigestTests", ["ContentDigest", "UpgradeDomain"]),
        tests(
            "InventoryTests",
            [
                "Approvals", "FileReading", "Inventory", "PlanFiles", "PolicyFiles", "SSHSignatures", "UpgradeDomain",
                "ContentDigest",
            ]),
        tests(
            "InventoryImportTests",
            [
                "InventoryImport", "FileReading", "Inventory", "FleetAccess", "TestSupport", "UpgradeDomain",
                "ContentDigest",
                subprocess, system,
            ]),
        tests("LabFleetTests", ["LabFleet", "UpgradeDomain", subprocess]),
        tests(
            "RolloutEngineTests", ["Approvals", "OperatorCommands", "RolloutEngine", "SigningKeys", "UpgradeDomain"]),
        // Tests/CFaultVFS: a SQLite VFS whose calls fail when they are told to.
        .target(
            name: "CFaultVFS", dependencies: [.product(name: "GRDBSQLite", package: "GRDB.swift")],
            path: "Tests/CFaultVFS"),
        tests("LedgerTests", ["Ledger", "TestSupport", "UpgradeDomain", "ContentDigest", "CFaultVFS"]),
        tests("TidyTests", []),
    ]
)

// Tests/Fuzz links only with -sanitize=fuzzer, so it is there only for scripts/fuzz.sh.
if Context.environment["LOCKFLIGHT_FUZZ"] != nil {
    package.targets += [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Fuzz/CLibFuzzer"),
        .executableTarget(
            name: "lockflight-fuzz",
            dependencies: [
                "AgentProtocol", "Approvals", "CLibFuzzer", "ContentDigest", "FileReading", "Inventory", "Ledger",
                "PlanFiles", "PolicyFiles", "RolloutEngine", "SSHSignatures", "SafeText", "UpgradeDomain",
            ],
            path: "Tests/Fuzz", exclude: ["CLibFuzzer", "corpus"], swiftSettings: strict),
    ]
}
