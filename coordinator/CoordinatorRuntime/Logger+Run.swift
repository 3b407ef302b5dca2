package import Logging
import RolloutEngine
package import UpgradeDomain

extension Logger {
    /// Logs nothing.
    package static let silent = Logger(label: "lockflight") { _ in SwiftLogNoOpLogHandler() }

    /// A logger that adds the host to every message.
    package func about(_ host: HostName) -> Logger {
        var logger = self
        logger[metadataKey: "host"] = "\(host)"
        return logger
    }
}

extension Effect {
    /// The effect and its subject.
    var metadata: Logger.Metadata {
        switch self {
        case .record(let event): ["effect": "record", "event": "\(event.kind)"]
        case .preflight(let host): ["effect": "preflight", "host": "\(host)"]
        case .capture(let order):
            ["effect": "capture", "host": "\(order.host)", "subject": "\(order.subject.description)"]
        case .start(let intent): Effect.metadata("start", intent)
        case .settle(let intent): Effect.metadata("settle", intent)
        case .confirm(let intent): Effect.metadata("confirm", intent)
        }
    }

    private static func metadata(_ effect: String, _ intent: OperationIntent) -> Logger.Metadata {
        ["effect": "\(effect)", "host": "\(intent.placement.host)", "operation": "\(intent.id.rawValue)"]
    }
}
