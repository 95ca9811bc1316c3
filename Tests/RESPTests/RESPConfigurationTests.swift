import NIOCore
import Testing

@testable import RESP

@Suite(.timeLimit(.minutes(1)))
struct RESPConfigurationTests {
    @Test func fullURL() throws {
        let configuration = try RESPConfiguration(url: "redis://us%65r:p%40ss%3Aw%2F%C3%A9@example.com:7000/3")
        #expect(configuration.host == "example.com")
        #expect(configuration.port == 7000)
        #expect(configuration.username == "user")
        #expect(configuration.password == "p@ss:w/é")
        #expect(configuration.database == 3)
        #expect(configuration.redactedURL == "redis://user:***@example.com:7000/3")
        #expect("\(configuration)" == configuration.redactedURL)
        #expect(String(reflecting: configuration) == configuration.redactedURL)
    }

    @Test func defaults() throws {
        let configuration = try RESPConfiguration(url: "redis://localhost")
        #expect(configuration.host == "localhost")
        #expect(configuration.port == 6379)
        #expect(configuration.username == nil)
        #expect(configuration.password == nil)
        #expect(configuration.database == 0)
        #expect(configuration.redactedURL == "redis://localhost:6379")
        #expect(try RESPConfiguration(url: "redis://localhost/").database == 0)
    }

    @Test func passwordWithoutUser() throws {
        let configuration = try RESPConfiguration(url: "redis://:secret:with:colons@[::1]:7001")
        #expect(configuration.host == "::1")
        #expect(configuration.port == 7001)
        #expect(configuration.username == nil)
        #expect(configuration.password == "secret:with:colons")
        #expect(configuration.redactedURL == "redis://:***@[::1]:7001")
    }

    @Test func encryptedURL() throws {
        let configuration = try RESPConfiguration(url: "REDISS://:p%40ss@[::1]/4")
        #expect(configuration.tls == RESPTLS())
        #expect(configuration.tls?.insecurelySkipsVerification == false)
        #expect(configuration.endpoint == .host("::1", port: 6379))
        #expect(configuration.redactedURL == "rediss://:***@[::1]:6379/4")
        #expect(try RESPConfiguration(url: "redis://localhost").tls == nil)
        #expect(try RESPConfiguration(url: "rediss://localhost?db=4").database == 4)
    }

    @Test(arguments: ["unix", "redis+unix", "redis-socket", "UNIX"])
    func unixSocketURL(scheme: String) throws {
        let plain = try RESPConfiguration(url: "\(scheme):///run/redis%20a/b@c.sock")
        #expect(plain.endpoint == .unixSocket(path: "/run/redis a/b@c.sock"))
        #expect(plain.password == nil && plain.database == 0 && plain.tls == nil)
        let full = try RESPConfiguration(url: "\(scheme)://us%65r:p%2Fss%40@/run/redis.sock?db=5")
        #expect(full.endpoint == .unixSocket(path: "/run/redis.sock"))
        #expect(full.username == "user" && full.password == "p/ss@" && full.database == 5)
        #expect(full.redactedURL == "unix://user:***@/run/redis.sock?db=5")
        #expect(throws: RESPError.self) {
            try RESPConfiguration(url: "\(scheme):///" + String(repeating: "x", count: 103))
        }
    }

    @Test(arguments: [
        ("localhost:6379", "scheme"), ("http://localhost", "scheme"), ("redis+tls://localhost", "scheme"),
        ("unix://", "absolute path"), ("unix:///", "absolute path"), ("unix://tmp/redis.sock", "absolute path"),
        ("unix://u:hunter2@", "absolute path"), ("unix://u:hunter2@tmp", "absolute path"), ("unix:///a%0", "path"),
        ("unix:///a%00b", "path"), ("unix:///tmp/x?db=", "db"), ("unix:///tmp/x?db=1&db=2", "parameters"),
        ("unix:///tmp/x?password=hunter2", "parameters"), ("unix://u:hunter2/x@/tmp/x", "%2F"),
        ("redis://localhost/1?db=1", "twice"), ("redis://localhost?db=-1", "db"),
        ("rediss://localhost?ssl=no", "param"),
        ("rediss://u@localhost", "user without a password"), ("redis://", "host"), ("redis://:6379", "host"),
        ("redis://localhost:0", "port"), ("redis://localhost:65536", "port"), ("redis://localhost:x", "port"),
        ("redis://localhost:+1", "port"), ("redis://localhost/x", "database"), ("redis://localhost/-1", "database"),
        ("redis://localhost?timeout=5", "parameters"), ("redis://localhost#x", "fragment"), ("redis://[::1", "address"),
        ("redis://::1:6379", "brackets"), ("redis://user@localhost", "user without a password"),
        ("redis://user:@localhost", "empty password"), ("redis://u%zz:p@localhost", "user"),
        ("redis://u:hunter2%@localhost", "password"), ("redis://u:hunter2%g0@localhost", "password"),
        ("redis://u:hunter2/x@localhost", "%2F"), ("redis://u:hunter2#x@localhost", "%23"),
        ("redis://u:hunter2", "port"), ("redis://u:hunter2%ff@localhost", "password"),
        ("redis:hunter2@localhost", "scheme"),
    ])
    func invalidURL(_ url: String, _ named: String) throws {
        let error = try #require(throws: RESPError.self) { try RESPConfiguration(url: url) }
        #expect(error.code == .invalidURL)
        #expect(error.message.contains(named))
        #expect(!error.message.contains("hunter2"))
    }

    @Test func backoffDoublesUpToItsCapAndVariesByHalf() {
        var backoff = RESPConfiguration.Backoff()
        backoff.minimum = .milliseconds(100)
        backoff.maximum = .milliseconds(1000)
        let delays = (0..<6).map { backoff.delay(attempt: $0, random: 0) }
        #expect(delays == [100, 200, 400, 800, 1000, 1000].map { TimeAmount.milliseconds($0) })
        #expect(backoff.delay(attempt: 1, random: 0.5) == .milliseconds(150))
        #expect(backoff.delay(attempt: .max, random: 0) == .milliseconds(1000))
    }
}

@Suite(.timeLimit(.minutes(1)))
struct RESPConfigurationByteTests {
    /// A mark after a separator makes one character of both: it separates all the same.
    @Test func marksAfterSeparators() throws {
        let configuration = try RESPConfiguration(url: "redis://user:\u{301}secret@\u{301}host:7000/2")
        #expect(configuration.username == "user")
        #expect(configuration.password.map { Array($0.utf8) } == Array("\u{301}secret".utf8))
        #expect(Array(configuration.host.utf8) == Array("\u{301}host".utf8))
        #expect(configuration.port == 7000)
        #expect(configuration.database == 2)
        for url in ["redis://host/\u{301}1", "redis://host?\u{301}x", "redis://host#\u{301}x", "redis://host:\u{301}1"]
        {
            #expect(throws: RESPError.self) { try RESPConfiguration(url: url) }
        }
    }
}
