package import FileReading
package import Inventory
import SafeText
package import UpgradeDomain

/// An inventory from elsewhere as an inventory file of ours, which the same rules read.
package struct MappedInventory: Sendable {
    package let draft: InventoryDraft
    /// What an operator should know of it, a sentence each.
    package let remarks: [String]
    /// What is said of hosts and is not taken, with the number of hosts.
    package let dropped: [String: Int]
    private let foreign: ForeignInventory
    private let mapping: InventoryMapping?
    private let lines: MappedLines
    private let problems: [FileProblem]

    /// - Parameters:
    ///   - foreign: the inventory from elsewhere.
    ///   - mapping: nil where that inventory itself says what its layers are.
    package init(of foreign: ForeignInventory, with mapping: InventoryMapping?) {
        (self.foreign, self.mapping) = (foreign, mapping)
        var entries = MappedEntries(of: foreign, with: mapping)
        let tree = entries.tree()
        let text = InventoryText(tree)
        draft = InventoryFile.read(text: text.text, file: foreign.file)
        lines = MappedLines(
            source: foreign.file, mapping: mapping?.file, hosts: foreign.hosts, names: entries.written,
            lines: text.lines,
            text: text.text.lines)
        problems = foreign.problems + entries.problems
        dropped = entries.dropped
        remarks = entries.remarks
    }

    /// The same with entries for the jump hosts that ssh_config names; nil if it names none.
    package func following(_ answers: SSHConfigAnswers) -> MappedInventory? {
        var led = foreign
        var isLed = false
        for index in led.hosts.indices where led.hosts[index].way.isEmpty && led.hosts[index].proxyCommand == nil {
            let name = HostNames.name(of: led.hosts[index], mapping)
            guard let jumps = answers.hosts[HostName(name)]?.proxyJump else { continue }
            led.hosts[index].way = SSHHop.way(jumps)
            isLed = true
        }
        return isLed ? MappedInventory(of: led, with: mapping) : nil
    }

    /// The inventory, with the settings that its entries leave out filled in as OpenSSH would.
    /// - Throws: all problems at once, each at its place in the mapping or in the inventory from elsewhere.
    package func resolved(by answers: SSHConfigAnswers) throws(FileProblems) -> FleetInventory {
        do throws(FileProblems) {
            let inventory = try draft.resolved(by: answers)
            guard problems.isEmpty else { throw FileProblems(HostProblems.collapsed(problems, foreign)) }
            return inventory
        } catch {
            let own = Set(problems)
            let placed = error.problems.filter { !own.contains($0) }.map(lines.placed)
            throw FileProblems(HostProblems.collapsed(problems + placed, foreign), unlisted: error.unlisted)
        }
    }
}
