extension ContentType {
    /// A room's name begins with the uid, so it must be a real one: `user` and `1` would give the room of a user.
    static func checkUID(_ uid: String) throws(GatewayError) {
        guard Self.isValidUID(uid) else {
            throw GatewayError(
                .invalidArguments,
                "'\(uid.abridged(toBytes: 128))' is no content type's uid, such as api::article.article"
            )
        }
    }
}
