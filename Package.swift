// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]

/// The tests are not what users run: they may use Foundation and C calls as they are.
///
/// They are not optimised, which would take longer than it saves; what they test is.
let testSettings: [SwiftSetting] = [
  .unsafeFlags(["-Onone"]),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "workq",
  products: [.executable(name: "workq", targets: ["workq"])],
  targets: [
    .systemLibrary(
      name: "CRabbitMQ", pkgConfig: "librabbitmq",
      providers: [.apt(["librabbitmq-dev"]), .brew(["rabbitmq-c"])]),
    .systemLibrary(
      name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
    .systemLibrary(name: "CSystem"),
    .target(name: "AMQP", dependencies: ["COpenSSL", "CRabbitMQ"], swiftSettings: settings),
    .target(name: "WorkQueue", dependencies: ["AMQP", "CSystem"], swiftSettings: settings),
    .executableTarget(
      name: "workq", dependencies: ["AMQP", "WorkQueue"], swiftSettings: settings),

    .systemLibrary(name: "CGetopt", path: "Tests/CGetopt"),
    .target(
      name: "TestSupport", dependencies: ["CSystem"], path: "Tests/TestSupport",
      exclude: [
        "broker", "certificates", "hostile-broker", "install-packages", "unpack-package", "make-broker",
        "failures-last",
      ],
      swiftSettings: testSettings),
    .testTarget(
      name: "AMQPTests", dependencies: ["AMQP", "COpenSSL", "CRabbitMQ", "TestSupport"],
      swiftSettings: testSettings),
    .testTarget(
      name: "WorkQueueTests", dependencies: ["WorkQueue", "TestSupport"], exclude: ["SpoolOf1.0"],
      swiftSettings: testSettings),
    .testTarget(
      name: "CommandTests", dependencies: ["workq", "CGetopt", "TestSupport"], swiftSettings: testSettings),
    .testTarget(
      name: "LiveTests", dependencies: ["AMQP", "TestSupport", "WorkQueue"], exclude: ["Help", "Tutorial"],
      swiftSettings: testSettings),
    .testTarget(
      name: "ManualTests", dependencies: ["workq", "WorkQueue", "TestSupport"], swiftSettings: testSettings),
  ],
  swiftLanguageModes: [.v6]
)
