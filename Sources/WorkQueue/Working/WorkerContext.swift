/// What all parts of a worker share: its options, and where its events are reported.
///
/// A class, because the options are large and there are many parts.
final class WorkerContext {
  let options: Worker.Options
  let report: (WorkerEvent) -> Void

  init(_ options: Worker.Options, report: @escaping (WorkerEvent) -> Void) {
    (self.options, self.report) = (options, report)
  }
}
