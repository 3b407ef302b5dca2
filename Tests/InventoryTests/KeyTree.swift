import FileReading

@testable import Inventory
@testable import PlanFiles
@testable import PolicyFiles

/// The mappings of a file, and how each is reached from its root.
struct KeyTree {
    static let inventory = KeyTree(root: InventoryKeys(), name: "inventory")
    static let plan = KeyTree(root: PlanKeys(), name: "plan")
    static let policy = KeyTree(root: PolicyKeys(), name: "policy")
    static let all = [inventory, plan, policy]

    /// A key on the way to a mapping, and the mapping that has the key.
    struct Step {
        var table: any KeyTable
        var key: any KeyDeclaration
    }

    /// A mapping, and the shortest way to it.
    struct Place {
        var table: any KeyTable
        var way: [Step]

        var title: String { type(of: table).title }
    }

    let name: String
    let root: any KeyTable
    /// The root first, then as the declarations mention them.
    let places: [Place]

    private init(root: any KeyTable, name: String) {
        self.root = root
        self.name = name
        var found = [Place(table: root, way: [])]
        var next = 0
        while next < found.count {
            let place = found[next]
            next += 1
            for key in place.table.declarations {
                for table in key.type.tables where !found.contains(where: { $0.title == type(of: table).title }) {
                    found.append(Place(table: table, way: place.way + [Step(table: place.table, key: key)]))
                }
            }
        }
        places = found
    }

    /// The keys whose values are a mapping, with the mappings that have them.
    func uses(of title: String) -> [(key: String, in: String)] {
        places.flatMap { place in
            place.table.declarations.filter { key in key.type.tables.contains { type(of: $0).title == title } }
                .map { ($0.name, place.title) }
        }
    }
}

extension ValueType {
    /// The mappings with declared keys that a value of this type has directly.
    var tables: [any KeyTable] {
        switch self {
        case .text, .word, .integer, .number, .flag: []
        case .list(let element, count: _): element.tables
        case .map(_, let element): element.tables
        case .mapping(let table): [table]
        case .either(let types): types.flatMap(\.tables)
        }
    }
}
