import ArgumentParser

struct LabOptions: ParsableArguments {
    @Option(name: .long, help: "The lab's folder.", completion: .directory) var folder = ".lockflight/lab"
}
