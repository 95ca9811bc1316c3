import NIOCore

@testable import EngineIO

/// What is read from the fields of an HTTP request, one value in all the ways that there are.
let requestTarget = Target(name: "request") { input in
    let text = String(buffer: input)
    measured(input.readableBytes) {
        _ = EngineQuery(target: text)
        _ = FormField.payload(of: input)
        _ = ContentEncoding.preferred(by: text)
    }
    let offer = measured(input.readableBytes) { ExtensionOffer.parse(text) }
    let outcome = DeflateAgreement.negotiate(text, PerMessageDeflate())
    if case .agreed(let agreement) = outcome {
        require((9...15).contains(agreement.windowBits), "a window of \(agreement.windowBits) bits")
        require(ExtensionOffer.parse(agreement.headerValue) != nil, "an answer that is none: \(agreement.headerValue)")
    }
    require(offer != nil || outcome == .refused, "agreed on what makes no sense")
    let client = ClientAddress(trustedProxies: ["10.0.0.0/8", "fd00::/8"].compactMap { AddressRange($0) })
    let address = measured(input.readableBytes) { client.resolve(peer: "10.0.0.1", forwardedFor: text) }
    require(IPAddress(address) != nil, "no address: \(address)")
    _ = AddressRange(text)
}
