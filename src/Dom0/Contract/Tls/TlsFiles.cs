namespace Xen.Contract;

/// <summary>The files that one end of a TLS connection needs, in PEM.</summary>
/// <param name="Certificate">Its certificate, and those between it and its CA, if any.</param>
/// <param name="Key">The certificate's private key, for the owner's eyes only.</param>
/// <param name="Authority">The certificates of the CAs that the other end's must be from.</param>
public sealed record TlsFiles(string Certificate, string Key, string Authority)
{
    /// <summary>The names that <c>xm cert</c> gives to the server's files and to the CA's, and to those of the client that xm is unless told otherwise.</summary>
    public const string Server = "server", CertificateAuthority = "ca", PresetClient = "operator";

    /// <summary>Ends of file names.</summary>
    public const string CertificateEnd = ".crt", KeyEnd = ".key";

    /// <summary>The files of a name in a folder that <c>xm cert</c> has filled.</summary>
    public static TlsFiles In(string folder, string name) => new(
        Path.Combine(folder, name + CertificateEnd), Path.Combine(folder, name + KeyEnd), Path.Combine(folder, CertificateAuthority + CertificateEnd));
}
