extension CORSConfiguration {
    /// The header fields for a request with this `Origin`, in the order of the `cors` package.
    ///
    /// For a preflight request, `Access-Control-Request-Headers` matters, too.
    func fields(origin: String?, preflight: (isPreflight: Bool, requestHeaders: String?)) -> [HTTPField] {
        var fields: [HTTPField] = []
        var vary: Int?
        func addVary(_ name: String) {
            if let vary {
                fields[vary].value += ", " + name
            } else {
                vary = fields.count
                fields.append(HTTPField("Vary", name))
            }
        }
        func allow(_ origin: String?) {
            if let origin { fields.append(HTTPField("Access-Control-Allow-Origin", origin)) }
            addVary("Origin")
        }
        switch self.origin {
        case .any: fields.append(HTTPField("Access-Control-Allow-Origin", "*"))
        case .fixed(let fixed): allow(fixed)
        case .list, .matching: allow(origin.flatMap { self.origin.allows($0) ? $0 : nil })
        }
        if self.credentials { fields.append(HTTPField("Access-Control-Allow-Credentials", "true")) }
        if preflight.isPreflight {
            fields.append(HTTPField("Access-Control-Allow-Methods", self.methods))
            if let allowed = self.allowedHeaders {
                fields.append(HTTPField("Access-Control-Allow-Headers", allowed))
            } else {
                addVary("Access-Control-Request-Headers")
                if let requested = preflight.requestHeaders {
                    fields.append(HTTPField("Access-Control-Allow-Headers", requested))
                }
            }
            if let maxAge = self.maxAge { fields.append(HTTPField("Access-Control-Max-Age", String(maxAge))) }
        }
        if let exposed = self.exposedHeaders { fields.append(HTTPField("Access-Control-Expose-Headers", exposed)) }
        return fields
    }
}
