extension OutgoingRequest {
    /// The request that an answer redirects to; `nil` if it does not redirect.
    ///
    /// - Throws: ``OutgoingError`` if the answer redirects to where this request may not go, or once too often.
    package func redirected(by response: OutgoingResponse, after count: Int) throws(OutgoingError) -> OutgoingRequest? {
        guard self.method == .get, [301, 302, 303, 307, 308].contains(response.status),
            let location = response.header("location")
        else { return nil }
        guard count < self.maximumRedirects else {
            throw OutgoingError(
                .redirect,
                "\(self.url.origin) redirects more than \(self.maximumRedirects) times",
                mayHaveArrived: true
            )
        }
        guard let target = self.url.following(location), target.isSecure || !self.url.isSecure else {
            throw OutgoingError(
                .redirect,
                "\(self.url.origin) redirects to what is no URL that can be followed from there",
                mayHaveArrived: true
            )
        }
        var request = self
        request.url = target
        if !target.isSameOrigin(as: self.url) {
            request.headers.removeAll { $0.isNamed("authorization") || $0.isNamed("cookie") }
        }
        return request
    }
}
