import Foundation
import Testing

/// What the reference implementation did, step by step (`about` and `howToRead` in the file say more).
struct Transcript: Decodable, Sendable, CustomTestStringConvertible {
    struct Body: Decodable, Sendable {
        var text: String?
        var hex: String?
        /// Of a long text, how long it is and how it begins; it goes on with the same character.
        var textLength: Int?
        var starts: String?

        var bytes: [UInt8] {
            if let hex = self.hex { return [UInt8](hex: hex) }
            var bytes = Array((self.text ?? self.starts ?? "").utf8)
            if let length = self.textLength, let last = bytes.last {
                bytes += repeatElement(last, count: length - bytes.count)
            }
            return bytes
        }
    }

    struct Request: Decodable, Sendable {
        var line: String
        var headers: [[String]]
        var body: Body?
        var aborted: String?
    }

    struct Response: Decodable, Sendable {
        var status: String?
        var headers: [[String]]?
        var body: Body?
        var bodyDecompressed: Body?
        var none: String?
        var connection: String?
    }

    struct Frame: Decodable, Sendable {
        var dir: String
        var frame: String?
        var text: String?
        var hex: String?
        var code: UInt16?
        var reason: String?
        var fin: Bool?
        var masked: Bool?
        var rsv1: Bool?
        var tcp: String?
        var answer: Bool?

        var isFromServer: Bool { self.dir == "from server" }
        var payload: [UInt8] { Body(text: self.text, hex: self.hex).bytes }
    }

    struct WebSocket: Decodable, Sendable {
        var request: Request
        var response: Response
        var frames: [Frame]
    }

    struct Event: Decodable, Sendable {
        struct Refusal: Decodable, Sendable {
            var code: Int
            var message: String
            var context: [String: Value]
        }

        /// A text, or a number written as one.
        struct Value: Decodable, Sendable {
            var text: String

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                self.text = try (try? container.decode(String.self)) ?? String(container.decode(Int.self))
            }
        }

        var close: String?
        var description: String?
        var connectionError: Refusal?

        private enum CodingKeys: String, CodingKey {
            case close
            case description
            case connectionError = "connection_error"
        }
    }

    struct Step: Decodable, Sendable {
        var label: String?
        var request: Request?
        var response: Response?
        var websocket: WebSocket?
        var stillOpen: Bool?
        var events: [Event]?
    }

    struct Options: Decodable, Sendable {
        struct CORS: Decodable, Sendable {
            enum Origin: Decodable, Sendable {
                case text(String)
                case list([String])
                case flag(Bool)

                init(from decoder: any Decoder) throws {
                    let container = try decoder.singleValueContainer()
                    if let flag = try? container.decode(Bool.self) {
                        self = .flag(flag)
                    } else if let text = try? container.decode(String.self) {
                        self = .text(text)
                    } else {
                        self = .list(try container.decode([String].self))
                    }
                }
            }

            var origin: Origin
            var credentials: Bool?
            var methods: [String]?
            var allowedHeaders: [String]?
            var exposedHeaders: [String]?
            var maxAge: Int?
            var optionsSuccessStatus: Int?
            var preflightContinue: Bool?
        }

        enum Cookie: Decodable, Sendable {
            struct Attributes: Decodable, Sendable {
                var name: String?
                var path: String?
                var httpOnly: Bool?
                var sameSite: String?
                var secure: Bool?
                var maxAge: Int?
                var domain: String?
            }

            case standard
            case attributes(Attributes)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if (try? container.decode(Bool.self)) != nil {
                    self = .standard
                } else {
                    self = .attributes(try container.decode(Attributes.self))
                }
            }
        }

        struct Compression: Decodable, Sendable {
            var threshold: Int
        }

        var pingInterval: Int64?
        var pingTimeout: Int64?
        var allowEIO3: Bool?
        var perMessageDeflate: Compression?
        var httpCompression: Compression?
        var upgradeTimeout: Int64?
        var maxHttpBufferSize: Int?
        var initialPacket: String?
        var allowUpgrades: Bool?
        var allowRequest: String?
        var transports: [String]?
        var path: String?
        var addTrailingSlash: Bool?
        var cors: CORS?
        var cookie: Cookie?
    }

    var id: String
    var serverOptions: Options
    var steps: [Step]

    var testDescription: String { self.id }

    static let all: [Transcript] = {
        struct File: Decodable { var transcripts: [Transcript] }
        guard let url = Bundle.module.url(forResource: "Fixtures/engineio-transcripts", withExtension: "json"),
            let data = try? Data(contentsOf: url)
        else { return [] }
        do {
            return try JSONDecoder().decode(File.self, from: data).transcripts
        } catch {
            print("The transcripts cannot be read:", error)
            return []
        }
    }()
}

extension [UInt8] {
    init(hex: String) {
        var bytes: [UInt8] = []
        var rest = Substring(hex)
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self = bytes
    }

    var hex: String { self.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
