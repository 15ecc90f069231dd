internal import COpenSSL
internal import Glibc

/// A certificate's contents, for messages: untrusted, and therefore sanitized.
enum CertificateNames {
  /// The names and IP addresses that it was issued for: the subject alternative names, else the common name.
  static func all(of certificate: OpaquePointer) -> [String] {
    let extended = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil)
    guard let list = unsafe extended.map({ OpaquePointer($0) }) else {
      return unsafe commonName(X509_get_subject_name(certificate)).map { [$0] } ?? []
    }
    defer { unsafe GENERAL_NAMES_free(list) }
    let count = max(0, unsafe OPENSSL_sk_num(list))
    return (0..<count).compactMap { index in
      unsafe OPENSSL_sk_value(list, index).flatMap { entry in
        unsafe text(of: entry.assumingMemoryBound(to: GENERAL_NAME.self).pointee)
      }
    }
  }

  static func commonName(_ name: OpaquePointer?) -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = unsafe X509_NAME_get_text_by_NID(name, NID_commonName, &buffer, Int32(buffer.count))
    guard count > 0 else { return nil }
    return String(decoding: buffer.prefix(Int(count)).map(UInt8.init(bitPattern:)), as: UTF8.self).sanitized
  }

  /// "2026-11-25 18:00 UTC".
  static func date(_ time: UnsafePointer<ASN1_TIME>?) -> String {
    var parts = unsafe tm()
    guard unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return "an unknown date" }
    var buffer = [CChar](repeating: 0, count: 64)
    let count = unsafe strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M UTC", &parts)
    return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private static func text(of name: GENERAL_NAME) -> String? {
    switch unsafe name.type {
    case GEN_DNS: return unsafe String(decoding: bytes(of: name.d.dNSName), as: UTF8.self).sanitized
    case GEN_IPADD: return unsafe address(bytes(of: name.d.iPAddress))
    default: return nil
    }
  }

  private static func bytes(of string: UnsafePointer<ASN1_STRING>?) -> [UInt8] {
    let start = unsafe ASN1_STRING_get0_data(string)
    let count = unsafe max(0, Int(ASN1_STRING_length(string)))
    return unsafe Array(UnsafeBufferPointer(start: start, count: count))
  }

  private static func address(_ bytes: [UInt8]) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    guard [4, 16].contains(bytes.count),
      unsafe inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil
    else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
