/// The release that this source is: what every program of it prints, and records of who drove a run.
package enum LockflightVersion {
    package static let current = "0.1.0"
}
