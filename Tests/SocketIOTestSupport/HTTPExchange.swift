package import NIOCore

/// One HTTP exchange on a connection of its own.
package func exchange(
    _ method: String,
    _ target: String,
    token: String? = nil,
    body: String? = nil,
    with address: SocketAddress
) async throws -> (status: Int, body: String) {
    let connection = try await RawConnection(address)
    let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
    let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    try await connection.send(
        "\(method) \(target) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\(authorization)\(length)\r\n\(body ?? "")"
    )
    let response = try await connection.response()
    await connection.close()
    return (Int(response.status.dropFirst("HTTP/1.1 ".count).prefix(3)) ?? 0, response.text)
}
