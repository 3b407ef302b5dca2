public import UpgradeDomain

/// Which hosts a lab has, and the layers each stands in.
public struct LabLayout: Codable, Hashable, Sendable {
    public struct Member: Codable, Hashable, Sendable {
        public var name: HostName
        public var layers: [LayerName]

        public init(_ name: HostName, layers: [LayerName]) {
            self.name = name
            self.layers = layers
        }
    }
    /// In the order in which they move.
    public var layers: [LayerName]
    public var members: [Member]

    public init(layers: [LayerName], members: [Member]) {
        self.layers = layers
        self.members = members
    }

    /// `count` hosts spread over data, core and edge, a quarter of them in data.
    public static func standard(hosts count: Int) -> LabLayout {
        let data = max(1, count / 4)
        let core = min(count - data, max(1, (count - data) / 2))
        let edge = count - data - core
        let parts: [(LayerName, Int)] = [("data", data), ("core", core), ("edge", edge)].filter { $0.1 > 0 }
        let members = parts.flatMap { layer, size in
            (1...size).map { Member(HostName("\(layer)-\($0)"), layers: [layer]) }
        }
        return LabLayout(layers: parts.map(\.0), members: members)
    }
}

/// A host of a lab: where it is and where its parts are.
public struct LabHost: Codable, Hashable, Sendable {
    public var name: HostName
    /// Its own loopback address.
    public var address: String
    public var sshPort: Int
    /// The port of its service in each layer it stands in.
    public var servicePorts: [LayerName: Int]
    /// The host's own folder.
    public var root: String

    /// The deployment checkout: repo truth.
    public var workingDirectory: String { "\(root)/stack" }
    /// The agent's machine-wide state folder.
    public var stateDirectory: String { "\(root)/state" }
    public var layers: [LayerName] { servicePorts.keys.sorted() }

    public func baseURL(in layer: LayerName) -> String { "http://\(address):\(servicePorts[layer] ?? 0)" }
    func place(of layer: LayerName) -> String { "\(workingDirectory)/layers/\(layer)" }
    func release(_ version: Version) -> String { "\(workingDirectory)/releases/\(version)" }
}
