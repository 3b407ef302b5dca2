import ArgumentParser

struct InventoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inventory", abstract: "Manage the fleet: hosts, layers, owners, host keys.",
        discussion: "Example: lockflight inventory import fleet.yaml",
        subcommands: [
            InventoryImport.self, InventoryExport.self, InventoryList.self, InventoryShow.self, InventoryTrust.self,
            InventoryCheck.self,
        ])
}
