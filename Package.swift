// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTestUtils = Target.Dependency.product(name: "NIOTestUtils", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let metricsTestKit = Target.Dependency.product(name: "MetricsTestKit", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycleTestKit = Target.Dependency.product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let jwt = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncAlgorithms = Target.Dependency.product(name: "AsyncAlgorithms", package: "swift-async-algorithms")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let targets: [Target] = [
    // No pkg-config: the header and the library lie where the compiler looks.
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"]), .yum(["zlib-devel"])]),
    .target(name: "SocketIOWire", dependencies: [nioCore, ordered], swiftSettings: settings),
    .target(name: "Incidents", dependencies: [nioCore, nioConcurrency, logging], swiftSettings: settings),
    .target(
        name: "EngineIO",
        dependencies: [
            "SocketIOWire", "Incidents", "CZlib", nioCore, nioPosix, nioHTTP1, nioConcurrency, logging, metrics, deque,
        ],
        swiftSettings: settings
    ),
    .target(
        name: "SocketIOServer",
        dependencies: [
            "EngineIO", "SocketIOWire", "Incidents", nioCore, nioPosix, nioHTTP1, nioConcurrency, logging, metrics,
            lifecycle, ordered, deque, heap,
        ],
        swiftSettings: settings
    ),
    .target(
        name: "RESP",
        dependencies: ["Incidents", nioCore, nioPosix, nioSSL, nioConcurrency, logging, metrics, lifecycle, deque],
        swiftSettings: settings
    ),
    .target(
        name: "SocketIOEmitter",
        dependencies: ["RESP", "SocketIOWire", nioCore, logging, ordered],
        swiftSettings: settings
    ),
    .target(
        name: "RedisAdapters",
        dependencies: [
            "SocketIOServer", "RESP", "Incidents", "SocketIOWire", nioCore, nioConcurrency, logging, metrics, ordered,
            deque,
        ],
        swiftSettings: settings
    ),
    // For authors of adapters: a cluster within one process.
    .target(
        name: "SocketIOAdapterTesting",
        dependencies: [
            "SocketIOServer", "SocketIOTestSupport", "SocketIOWire", nioCore, nioPosix, nioConcurrency, ordered,
        ],
        swiftSettings: settings
    ),
    .target(
        name: "Gateway",
        dependencies: [
            "SocketIOServer", "EngineIO", "SocketIOWire", "Incidents", nioCore, nioConcurrency, logging, metrics,
            ordered, heap, deque, crypto, jwt, asyncAlgorithms,
        ],
        swiftSettings: settings
    ),
    // Requests of the gateway to other servers.
    .target(
        name: "GatewayHTTPClient",
        dependencies: [
            "Gateway", "EngineIO", asyncHTTPClient, nioCore, nioPosix, nioHTTP1, nioSSL, nioConcurrency, lifecycle,
        ],
        swiftSettings: settings
    ),
    // What the gateways of a cluster share, in a Redis.
    .target(
        name: "RedisGateway",
        dependencies: [
            "Gateway", "SocketIOServer", "RESP", "SocketIOWire", "Incidents", nioCore, nioConcurrency, logging, crypto,
        ],
        swiftSettings: settings
    ),
    .target(
        name: "Console",
        dependencies: [
            "Gateway", "SocketIOServer", "EngineIO", "SocketIOWire", "Incidents", nioCore, nioHTTP1, nioPosix,
            nioConcurrency, logging, metrics, lifecycle, ordered,
        ],
        swiftSettings: settings
    ),
    .executableTarget(
        name: "socketio-node",
        dependencies: [
            "Console", "Gateway", "GatewayHTTPClient", "RedisGateway", "RedisAdapters", "SocketIOEmitter",
            "SocketIOServer", "EngineIO",
            "RESP",
            "SocketIOWire", "Incidents", arguments, yams, crypto, nioCore, nioPosix, nioHTTP1, nioSSL, nioConcurrency,
            logging, metrics, lifecycle, signals, ordered,
        ],
        swiftSettings: settings
    ),
    .executableTarget(
        name: "bench-server",
        dependencies: [
            "SocketIOServer", "EngineIO", "RedisAdapters", "RESP", "SocketIOWire", nioCore, nioPosix, logging,
        ],
        swiftSettings: settings
    ),
    .executableTarget(
        name: "conformance-server",
        dependencies: ["SocketIOServer", "EngineIO", "SocketIOWire", nioCore, nioPosix, logging],
        swiftSettings: settings
    ),
    .example("Hello", ["SocketIOServer"]),
    .example("Chat", ["SocketIOServer", "EngineIO"], hasPage: true),
    .example("Whiteboard", ["SocketIOServer", "EngineIO"], hasPage: true),
    .example("Notes", ["SocketIOServer", "EngineIO", hummingbird, lifecycle, nioPosix, logging], hasPage: true),
    .example("Cluster", ["SocketIOServer", "RedisAdapters", "RESP"]),
    .example("Publisher", ["SocketIOEmitter", "RESP"]),
    .example("Articles", ["SocketIOServer", "Gateway"]),
    // What tests talk to a server with.
    .target(
        name: "SocketIOTestSupport",
        dependencies: ["SocketIOWire", nioCore, nioPosix, nioConcurrency, logging],
        path: "Tests/SocketIOTestSupport",
        swiftSettings: settings
    ),
    // Real servers for tests: started on a free port, and gone with the process that started them.
    .target(
        name: "RedisTestSupport",
        dependencies: [nioConcurrency],
        path: "Tests/RedisTestSupport",
        swiftSettings: settings
    ),
    .testTarget(
        name: "SocketIOWireTests",
        dependencies: ["SocketIOWire", nioCore, nioTestUtils, ordered],
        resources: [.copy("Fixtures")],
        swiftSettings: settings
    ),
    .testTarget(
        name: "IncidentsTests",
        dependencies: ["Incidents", "SocketIOTestSupport", nioCore, nioEmbedded, logging],
        swiftSettings: settings
    ),
    .testTarget(
        name: "EngineIOTests",
        dependencies: [
            "EngineIO", "CZlib", "SocketIOTestSupport", "SocketIOWire", nioCore, nioPosix, nioEmbedded, nioHTTP1,
            nioConcurrency, logging, metrics, metricsTestKit,
        ],
        resources: [.copy("Fixtures")],
        swiftSettings: settings
    ),
    .testTarget(
        name: "SocketIOServerTests",
        dependencies: [
            "SocketIOServer", "EngineIO", "SocketIOTestSupport", "SocketIOWire", nioCore, nioPosix, nioEmbedded,
            nioConcurrency, logging, metrics, metricsTestKit, lifecycleTestKit,
        ],
        resources: [.copy("Fixtures")],
        swiftSettings: settings
    ),
    .testTarget(
        name: "RESPTests",
        dependencies: [
            "RESP", "RedisTestSupport", "SocketIOTestSupport", nioCore, nioPosix, nioEmbedded, nioConcurrency, logging,
            metrics, metricsTestKit, lifecycle, lifecycleTestKit,
        ],
        swiftSettings: settings
    ),
    .testTarget(
        name: "SocketIOEmitterTests",
        dependencies: [
            "SocketIOEmitter", "RESP", "RedisTestSupport", "SocketIOWire", nioCore, nioConcurrency, logging, ordered,
        ],
        resources: [.copy("Fixtures")],
        swiftSettings: settings
    ),
    .testTarget(
        name: "RedisAdaptersTests",
        dependencies: [
            "RedisAdapters", "SocketIOAdapterTesting", "SocketIOEmitter", "SocketIOServer", "RESP", "RedisTestSupport",
            "EngineIO", "Incidents", "SocketIOTestSupport", "SocketIOWire", nioCore, nioPosix, nioEmbedded,
            nioConcurrency, logging,
            metrics, metricsTestKit, ordered,
        ],
        resources: [.copy("Fixtures")],
        swiftSettings: settings
    ),
    .testTarget(
        name: "GatewayTests",
        dependencies: [
            "Gateway", "SocketIOServer", "EngineIO", "Incidents", "SocketIOTestSupport", "SocketIOWire", nioCore,
            nioPosix, nioEmbedded,
            nioConcurrency, logging, metrics, metricsTestKit, ordered, jwt, crypto,
        ],
        resources: [.copy("Fixtures")],
        swiftSettings: settings
    ),
    .testTarget(
        name: "GatewayHTTPClientTests",
        dependencies: [
            "GatewayHTTPClient", "Gateway", nioCore, nioPosix, nioHTTP1, nioSSL, nioConcurrency,
        ],
        swiftSettings: settings
    ),
    .testTarget(
        name: "RedisGatewayTests",
        dependencies: [
            "RedisGateway", "Gateway", "SocketIOServer", "EngineIO", "RESP", "RedisTestSupport", "SocketIOTestSupport",
            "SocketIOWire", nioCore, nioPosix, nioConcurrency, logging, ordered,
        ],
        swiftSettings: settings
    ),
    .testTarget(
        name: "SocketIONodeTests",
        dependencies: [
            "socketio-node", "Console", "Gateway", "SocketIOServer", "EngineIO", "RedisAdapters", "RESP",
            "SocketIOWire", "Incidents", "RedisTestSupport", "SocketIOTestSupport", yams, nioCore, nioEmbedded,
            nioHTTP1, nioPosix, nioConcurrency, lifecycle, logging, metrics, ordered,
        ],
        swiftSettings: settings
    ),
]

// Programs for those who work on this package, not for those who use it: only there when SOCKETIO_TARGETS names them,
// as Benchmarks/run and Fuzz/run do.
let tools: [Target] = [
    .target(name: "CCounters", path: "Benchmarks/CCounters"),
    .executableTarget(
        name: "socketio-benchmarks",
        dependencies: [
            "CCounters", "SocketIOWire", "RESP", "EngineIO", "SocketIOServer", "RedisAdapters", "Gateway", nioCore,
            nioPosix, nioConcurrency, logging, metrics, ordered,
        ],
        path: "Benchmarks/Sources",
        swiftSettings: settings
    ),
    .target(name: "CFuzzSupport", path: "Fuzz/CFuzzSupport"),
    .executableTarget(
        name: "socketio-fuzz",
        dependencies: [
            "CFuzzSupport", "SocketIOWire", "RESP", "EngineIO", "SocketIOServer", "Gateway", "Console", nioCore,
            nioEmbedded, nioHTTP1, logging, nioConcurrency,
        ],
        path: "Fuzz/Sources",
        swiftSettings: settings
    ),
]

// SOCKETIO_TARGETS="RESPTests" builds only these, and what they depend on: a short edit-test cycle in one layer.
let chosen = Context.environment["SOCKETIO_TARGETS"].map { names -> Set<String> in
    var chosen: Set<String> = []
    var open = names.split(separator: " ").map(String.init)
    while let name = open.popLast() {
        guard chosen.insert(name).inserted else { continue }
        for dependency in (targets + tools).first(where: { $0.name == name })?.dependencies ?? [] {
            if case .byNameItem(let name, _) = dependency { open.append(name) }
        }
    }
    return chosen
}

let products: [Product] = [
    .library(name: "SocketIOWire", targets: ["SocketIOWire"]),
    .library(name: "EngineIO", targets: ["EngineIO"]),
    .library(name: "SocketIOServer", targets: ["SocketIOServer"]),
    .library(name: "RESP", targets: ["RESP"]),
    .library(name: "SocketIOEmitter", targets: ["SocketIOEmitter"]),
    .library(name: "RedisAdapters", targets: ["RedisAdapters"]),
    .library(name: "SocketIOAdapterTesting", targets: ["SocketIOAdapterTesting"]),
    .library(name: "Gateway", targets: ["Gateway"]),
    .library(name: "GatewayHTTPClient", targets: ["GatewayHTTPClient"]),
    .library(name: "RedisGateway", targets: ["RedisGateway"]),
    .executable(name: "socketio-node", targets: ["socketio-node"]),
]

extension Target {
    /// A program of Examples/, which sees of our targets what an application sees.
    static func example(_ name: String, _ dependencies: [Target.Dependency], hasPage: Bool = false) -> Target {
        .executableTarget(
            name: "Example\(name)",
            dependencies: dependencies,
            path: "Examples/\(name)",
            resources: hasPage ? [.embedInCode("index.html")] : [],
            packageAccess: false,
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    }
}

var dependencies: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-async-algorithms.git", from: "1.1.0"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
    .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0"),
    .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
]
// SOCKETIO_DOCS=1 swift package generate-documentation --target SocketIOServer
if Context.environment["SOCKETIO_DOCS"] != nil {
    dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin.git", from: "1.5.0"))
}

let package = Package(
    name: "swift-socketio-cluster",
    products: chosen == nil ? products : [],
    dependencies: dependencies,
    targets: chosen.map { names in (targets + tools).filter { names.contains($0.name) } } ?? targets
)
