using System.Collections.Immutable;
using Xen.Abi;

namespace Xen.Builder.Images;

/// <summary>
/// The features that a kernel says it can use or must have. <b>Source</b>: features.h; elfnote.h, XEN_ELFNOTE_FEATURES.
/// </summary>
/// <param name="Supported">Bit n: the kernel can use feature number n (XENFEAT_*).</param>
/// <param name="Required">Bit n: the kernel cannot do without it.</param>
public readonly record struct KernelFeatures(uint Supported, uint Required)
{
    private static readonly ImmutableArray<(string Name, XenFeature Feature)> Names =
    [
        ("writable_page_tables", XenFeature.WritablePageTables),
        ("writable_descriptor_tables", XenFeature.WritableDescriptorTables),
        ("auto_translated_physmap", XenFeature.AutoTranslatedPhysmap),
        ("supervisor_mode_kernel", XenFeature.SupervisorModeKernel),
        ("pae_pgdir_above_4gb", XenFeature.PaePgdirAbove4gb),
        ("mmu_pt_update_preserve_ad", XenFeature.MmuPtUpdatePreserveAd),
        ("highmem_assist", XenFeature.HighmemAssist),
        ("gnttab_map_avail_bits", XenFeature.GnttabMapAvailBits),
        ("hvm_callback_vector", XenFeature.HvmCallbackVector),
        ("hvm_safe_pvclock", XenFeature.HvmSafePvclock),
        ("hvm_pirqs", XenFeature.HvmPirqs),
        ("dom0", XenFeature.Dom0),
        ("grant_map_identity", XenFeature.GrantMapIdentity),
        ("memory_op_vnode_supported", XenFeature.MemoryOpVnodeSupported),
        ("ARM_SMCCC_supported", XenFeature.ArmSmcccSupported),
        ("linux_rsdp_unrestricted", XenFeature.LinuxRsdpUnrestricted),
        ("not_direct_mapped", XenFeature.NotDirectMapped),
        ("direct_mapped", XenFeature.DirectMapped),
    ];

    /// <summary>What a PV domain has, by report or (writable page tables) by emulation.</summary>
    private const uint Offered =
        (1u << (int)XenFeature.WritablePageTables)
        | (1u << (int)XenFeature.PaePgdirAbove4gb)
        | (1u << (int)XenFeature.MmuPtUpdatePreserveAd)
        | (1u << (int)XenFeature.HighmemAssist)
        | (1u << (int)XenFeature.GnttabMapAvailBits)
        | (1u << (int)XenFeature.MemoryOpVnodeSupported)
        | (1u << (int)XenFeature.NotDirectMapped);

    /// <summary>Whether the kernel can use a feature.</summary>
    public bool Supports(XenFeature feature) => (Supported & BitOf(feature)) != 0;

    /// <summary>Reads a list as <c>a|!b</c>: b is required. A name that is not known is passed over, unless it is required.</summary>
    /// <exception cref="ImageException">A feature is required that a PV domain here does not have.</exception>
    internal static KernelFeatures Parse(string file, string list)
    {
        uint supported = 0, required = 0;
        foreach (var item in list.Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var must = item[0] == '!';
            var name = must ? item[1..] : item;
            var bit = Find(name) is { } feature ? BitOf(feature) : 0;
            if (must && (bit & Offered) == 0)
            {
                throw new ImageException(
                    file,
                    $"it requires the Xen feature '{Printable.Quote(name)}', which PV domains do not have here",
                    "use a kernel that can do without it");
            }

            supported |= bit;
            required |= must ? bit : 0;
        }

        return new KernelFeatures(supported, required);
    }

    private static uint BitOf(XenFeature feature) => 1u << (int)feature;

    private static XenFeature? Find(string name)
    {
        foreach (var known in Names)
        {
            if (known.Name == name)
            {
                return known.Feature;
            }
        }

        return null;
    }
}
