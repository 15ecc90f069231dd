/// What all parts of a worker share: its options, and where its events are reported.
///
/// An object, because the options are large and the parts are many.
final class WorkerContext {
  let options: Worker.Options
  let report: (WorkerEvent) -> Void

  init(_ options: Worker.Options, report: @escaping (WorkerEvent) -> Void) {
    (self.options, self.report) = (options, report)
  }
}
