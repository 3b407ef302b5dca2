/// The first elements of a list, with the total count, so that a shortened list says so.
package struct Shortlist<Element: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    package var count: Int
    package var first: [Element]
    /// How many are not listed.
    package var rest: Int { count - first.count }

    package init<All: Collection>(_ all: All, atMost limit: Int, _ listed: (All.Element) -> Element) {
        count = all.count
        first = all.prefix(limit).map(listed)
    }

    package init(_ all: some Collection<Element>, atMost limit: Int) { self.init(all, atMost: limit) { $0 } }
}
