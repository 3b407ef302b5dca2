import Foundation

/// Who the lab runs as, and so who logs in.
enum LabUser {
    static var name: String { NSUserName() }
}
