
namespace Xen.Toolstack;

/// <summary>
/// Reads an entry of <c>disk=</c>: <c>[target,[format,[vdev,[access]]]]</c> with keys in between or instead, or the old form with a prefix
/// (<c>file:debian.img,xvda,w</c>), which has no place for a format. <b>Source</b>: xl-disk-configuration(5).
/// </summary>
internal sealed class DiskSyntax
{
    private static readonly string[] Ignored = ["direct-io-safe", "trusted", "untrusted", "colo"];

    private string? _target;
    private DiskFormat? _format;
    private string? _vdev;
    private DiskAccess? _access;
    private bool _cdrom;
    private bool _discard = true;
    private bool _hasPrefix;

    private DiskSyntax()
    {
    }

    /// <summary>Reads an entry; the target's path is as it was written.</summary>
    /// <returns>Null, or what is wrong: the end of a sentence.</returns>
    public static string? Parse(string text, out DiskConfig? disk)
    {
        disk = null;
        var syntax = new DiskSyntax();
        return syntax.ReadParts(text) ?? syntax.Complete(out disk);
    }

    private string? ReadParts(string text)
    {
        string rest = text.Trim();
        while (rest.Length > 0)
        {
            // The target of the last key takes all that follows, commas too.
            if (rest.StartsWith("target=", StringComparison.Ordinal))
                return SetTarget(rest["target=".Length..]);
            int comma = rest.IndexOf(',', StringComparison.Ordinal);
            string part = (comma < 0 ? rest : rest[..comma]).Trim();
            rest = comma < 0 ? "" : rest[(comma + 1)..].TrimStart();
            string? fault = part.Contains('=', StringComparison.Ordinal) && !part.Contains(':', StringComparison.Ordinal) ? ReadKey(part) : ReadPositional(part);
            if (fault is not null)
                return fault;
        }

        return null;
    }

    private string? ReadPositional(string part)
    {
        if (IsWord(part))
            return null;
        if (_target is null)
            return ReadPrefixed(part);
        if (!_hasPrefix && _format is null && _vdev is null)
            return SetFormat(part);
        if (_vdev is null)
            return SetVdev(part);
        return _access is null ? SetAccess(part) : $"'{part}' is one part too many";
    }

    /// <summary>Words that may stand anywhere.</summary>
    private bool IsWord(string part)
    {
        switch (part)
        {
            case "cdrom":
                _cdrom = true;
                return true;
            case "discard" or "no-discard":
                _discard = part == "discard";
                return true;
            default:
                return Ignored.Contains(part);
        }
    }

    private string? ReadPrefixed(string part)
    {
        string target = part;
        while (target.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
        {
            switch (target[..colon])
            {
                case "file" or "phy" or "tap" or "tap2" or "aio" or "raw":
                    break;
                case "qcow":
                    _format = DiskFormat.Qcow;
                    break;
                case "qcow2":
                    _format = DiskFormat.Qcow2;
                    break;
                case "vhd":
                    _format = DiskFormat.Vhd;
                    break;
                case "drbd" or "nbd" or "enbd" or "iscsi":
                    return $"disks of kind '{target[..colon]}:' are not supported; attach it on the host and name its device with phy:";
                default:
                    return SetTarget(target);
            }

            // A device's short name is one in /dev.
            bool device = target.StartsWith("phy:", StringComparison.Ordinal) && !target[(colon + 1)..].StartsWith('/');
            target = (device && target.Length > colon + 1 ? "/dev/" : "") + target[(colon + 1)..];
            _hasPrefix = true;
        }

        return SetTarget(target);
    }

    private string? ReadKey(string part)
    {
        int equals = part.IndexOf('=', StringComparison.Ordinal);
        string key = part[..equals].Trim(), value = part[(equals + 1)..].Trim();
        switch (key)
        {
            case "format":
                return SetFormat(value);
            case "vdev":
                return SetVdev(value);
            case "access":
                return SetAccess(value);
            case "devtype":
                _cdrom = value == "cdrom";
                return value is "cdrom" or "disk" ? null : $"devtype must be cdrom or disk, and is '{value}'";
            case "backend":
                return value is "0" or "Domain-0" ? null : "a backend in another domain is not supported; leave backend= out";
            case "specification":
                return value == "xen" ? null : $"specification must be xen, and is '{value}'";
            case "backendtype":
                return value is "phy" or "qdisk" or "tap" ? null : $"backendtype must be phy, qdisk or tap, and is '{value}'";
            case "script":
                return "block scripts are not supported; prepare the device before and name it with phy:";
            default:
                return $"'{key}' is no key of a disk: those are target, format, vdev, access, devtype, backendtype";
        }
    }

    private string? SetTarget(string target)
    {
        if (_target is not null)
            return "it has two targets";
        _target = target.Trim();
        return null;
    }

    private string? SetFormat(string text)
    {
        _format = text switch
        {
            "" or "raw" or "aio" => DiskFormat.Raw,
            "qcow" => DiskFormat.Qcow,
            "qcow2" => DiskFormat.Qcow2,
            "vhd" => DiskFormat.Vhd,
            "qed" => DiskFormat.Qed,
            _ => null,
        };
        return _format is null ? $"format must be raw, qcow, qcow2, vhd or qed, and is '{text}'" : null;
    }

    private string? SetVdev(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        _cdrom |= colon >= 0 && text[(colon + 1)..] == "cdrom";
        _vdev = colon < 0 ? text : text[..colon];
        return null;
    }

    private string? SetAccess(string text)
    {
        _access = text switch
        {
            "r" or "ro" => DiskAccess.ReadOnly,
            "w" or "rw" => DiskAccess.ReadWrite,
            "w!" or "!" => DiskAccess.Shared,
            "cow" => DiskAccess.CopyOnWrite,
            _ => null,
        };
        return _access is null ? $"access must be r, w, w! or cow, and is '{text}'" : null;
    }

    private string? Complete(out DiskConfig? disk)
    {
        disk = null;
        if (string.IsNullOrEmpty(_vdev))
            return "it names no device of the guest, such as xvda";
        if (!VirtualDisk.TryParse(_vdev, out VirtualDisk virtualDisk))
            return $"'{_vdev}' is no block device of a guest: use xvda to xvdz, sda or hda, with a partition's number or without";
        if (string.IsNullOrEmpty(_target) && !_cdrom)
            return "it names no image and no device";
        disk = new DiskConfig
        {
            Target = _target ?? "",
            Format = _format ?? DiskFormat.Raw,
            Disk = virtualDisk,
            Access = _cdrom ? DiskAccess.ReadOnly : _access ?? (_hasPrefix ? DiskAccess.ReadOnly : DiskAccess.ReadWrite),
            IsCdrom = _cdrom,
            Discard = _discard,
        };
        return null;
    }
}
