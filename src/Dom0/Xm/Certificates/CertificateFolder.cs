using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Xen.Contract;

namespace Xen.Xm;

/// <summary>The folder that certificates and keys are kept in: NAME.crt for everybody, NAME.key for its owner.</summary>
internal sealed class CertificateFolder(string path)
{
    private const UnixFileMode Key = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Certificate = Key | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    public string Path => path;

    /// <summary>Those of the names that are taken: their certificate or their key is there.</summary>
    public IEnumerable<string> Taken(IEnumerable<string> names) => names
        .SelectMany(static name => (string[])[name + TlsFiles.CertificateEnd, name + TlsFiles.KeyEnd])
        .Where(file => File.Exists(System.IO.Path.Combine(path, file)));

    /// <summary>Writes a certificate and its key, each as a whole, in place of what may be there.</summary>
    /// <exception cref="XmException">The folder cannot be written.</exception>
    public void Write(string name, X509Certificate2 certificate)
    {
        try
        {
            Directory.CreateDirectory(path, Key | UnixFileMode.UserExecute);
            using ECDsa key = certificate.GetECDsaPrivateKey() ?? throw new InvalidOperationException("a certificate that was made has its key");
            Replace(name + TlsFiles.KeyEnd, key.ExportPkcs8PrivateKeyPem(), Key);
            Replace(name + TlsFiles.CertificateEnd, certificate.ExportCertificatePem(), Certificate);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new XmException($"{path} cannot be written: {e.Message} --folder names another.", e);
        }
    }

    /// <summary>The CA that is there.</summary>
    /// <exception cref="XmException">There is none.</exception>
    public CertificateAuthority OpenAuthority()
    {
        var files = TlsFiles.In(path, TlsFiles.CertificateAuthority);
        try
        {
            return new CertificateAuthority(X509Certificate2.CreateFromPemFile(files.Certificate, files.Key));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new XmException($"there is no CA in {path} ({files.Certificate}, {files.Key}): xm cert makes one, with certificates; --folder names another folder.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new XmException($"the CA in {path} cannot be used: {e.Message}", e);
        }
    }

    private void Replace(string file, string text, UnixFileMode mode)
    {
        string target = System.IO.Path.Combine(path, file), fresh = target + ".new";
        File.Delete(fresh);
        using (var stream = new FileStream(fresh, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
        using (var writer = new StreamWriter(stream))
            writer.Write(text + "\n");
        File.Move(fresh, target, overwrite: true);
    }
}
