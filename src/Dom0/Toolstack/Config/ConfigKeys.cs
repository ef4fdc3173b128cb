namespace Xen.Toolstack;

/// <summary>The keys of xm's and xl's configuration files, by what becomes of them here.</summary>
internal static class ConfigKeys
{
    /// <summary>Keys that do what xmdomain.cfg(5) says.</summary>
    public static readonly IReadOnlySet<string> Supported = Set(
        "name kernel ramdisk root extra cmdline memory maxmem vcpus maxvcpus on_poweroff on_reboot on_crash on_watchdog on_xend_start on_xend_stop " +
        "cpu_weight cpu_cap cap cpus uuid builder type features cpu_engine code_cache cpuid disk vif console max_event_channels max_grant_frames max_maptrack_frames");

    /// <summary>Keys that Xen knows and we do not act on yet: a warning, so that an existing file still works.</summary>
    public static readonly IReadOnlySet<string> NotYet = Set(
        "bootloader bootargs bootloader_args bootentry firmware ip netmask gateway hostname interface dhcp nfs_server nfs_root " +
        "vcpu_avail cpu cpus_soft pool tsc_mode superpages e820_host max_grant_version " +
        "xenstore_quota xenstore_feature_mask nomigrate on_soft_reset restart " +
        "vfb pci vscsi vusb usbctrl usbdev vtpm p9 pvcalls channel vkb vsnd vdispl virtio serial blkif netif tpmif " +
        "driver_domain vnc vnclisten vncdisplay vncunused vncpasswd sdl opengl display xauthority keymap nographic localtime " +
        "rtc_timeoffset irq ioports iomem shadow_memory acpi apic pae hap viridian device_model device_model_version boot usb " +
        "usbdevice soundhw stdvga videoram guest_os_type access_control seclabel init_seclabel claim_mode machine_address_size " +
        "suppress_spurious_page_faults time_offset vncviewer gfx_passthru timer_mode hpet nestedhvm iommu passthrough");

    /// <summary>The known key that a misspelt one was most likely meant to be, or null.</summary>
    public static string? Nearest(string key) => Nearest(key, Supported.Concat(NotYet));

    /// <summary>The word of some that a misspelt one was most likely meant to be, or null.</summary>
    public static string? Nearest(string key, IEnumerable<string> words)
    {
        int most = Math.Max(1, key.Length / 3);
        return words
            .Select(known => (known, distance: Distance(key.ToLowerInvariant(), known)))
            .Where(c => c.distance <= most)
            .OrderBy(c => c.distance).ThenBy(c => c.known, StringComparer.Ordinal)
            .Select(c => c.known)
            .FirstOrDefault();
    }

    private static HashSet<string> Set(string words) => [.. words.Split(' ')];

    /// <summary>How many characters must be changed, added, removed or swapped with their neighbour to turn one word into the other.</summary>
    private static int Distance(string a, string b)
    {
        if (a.Length > 64)
            return int.MaxValue;
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            d[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            d[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int cost = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }

        return d[a.Length, b.Length];
    }
}
