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
    let proxies = TrustedProxies(["10.0.0.0/8", "fd00::/8"].compactMap { AddressRange($0) })
    let proxy = ClientAddress(peer: "10.0.0.1")
    let client = measured(input.readableBytes) { proxies.client(of: proxy, forwardedFor: text, forwarded: nil) }
    if case .known(let address) = client {
        require(IPAddress(address.description) == address, "no address: \(address)")
    }
    measured(input.readableBytes) { _ = proxies.client(of: proxy, forwardedFor: nil, forwarded: text) }
    _ = AddressRange(text)
}
