using Iced.Intel;
using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>
/// A run of guest instructions on one page that is translated in one piece: entered at its start only, left at its end or by a conditional jump.
/// Decoded here, with what the passes over it find out: which flags are alive where, and which accesses share a check.
/// </summary>
internal sealed class Superblock
{
    public const int MaxInstructions = 24;

    /// <summary>How far is looked behind an exit for instructions that kill the flags.</summary>
    private const int MaxLookAhead = 6;

    private readonly CodeWindow _window;
    private readonly Decoder _decoder;
    private readonly InstructionClassifier _classifier = new();
    private readonly GuestInstruction[] _instructions = new GuestInstruction[MaxInstructions];
    private GuestInstruction _ahead;
    private int _count;

    /// <param name="memory">Where code is.</param>
    /// <param name="map">Where it is said what was decoded.</param>
    public Superblock(MachineMemory memory, CodeMap map)
    {
        _window = new CodeWindow(memory, map);
        _decoder = Decoder.Create(64, _window);
    }

    /// <inheritdoc cref="InstructionClassifier.ReadsTimeStamps"/>
    public bool ReadsTimeStamps
    {
        set => _classifier.ReadsTimeStamps = value;
    }

    /// <summary>Address of the first instruction.</summary>
    public ulong Rip { get; private set; }

    /// <summary>Address behind the last instruction.</summary>
    public ulong End { get; private set; }

    /// <summary>The lines of its page that what is known of it depends on: its own, and those that were looked at behind its exits.</summary>
    public ulong Lines => _window.Lines;

    /// <summary>Whether what follows the last instruction is near.</summary>
    public bool EndIsNear { get; private set; }

    public Span<GuestInstruction> Instructions => _instructions.AsSpan(0, _count);

    /// <summary>Whether an instruction leaves the block for good.</summary>
    public static bool Ends(InstructionKind kind) =>
        kind is InstructionKind.Interpret or InstructionKind.SystemCall or InstructionKind.Call or InstructionKind.CallIndirect or InstructionKind.Return
            or InstructionKind.Jump or InstructionKind.JumpIndirect;

    /// <summary>Decodes a block.</summary>
    /// <param name="rip">Where it begins.</param>
    /// <param name="frame">The page that it is on.</param>
    /// <param name="variant">What it is decoded for.</param>
    /// <returns>False: the first instruction continues on the next page.</returns>
    public bool TryDecode(ulong rip, Mfn frame, BlockVariant variant)
    {
        _window.Open(frame, Mfn.Invalid);
        return Decode(rip, variant, MaxInstructions);
    }

    /// <summary>Decodes the one instruction that crosses from a page into the next.</summary>
    public bool TryDecodeCrossing(ulong rip, Mfn frame, Mfn tail, BlockVariant variant)
    {
        _window.Open(frame, tail);
        return Decode(rip, variant | BlockVariant.Careful, 1);
    }

    private bool Decode(ulong rip, BlockVariant variant, int limit)
    {
        Rip = rip;
        _count = 0;
        Seek(rip);
        bool ended = false;
        while (!ended && _count < limit)
        {
            ref GuestInstruction next = ref _instructions[_count];
            if (!TryRead(ref next, variant))
            {
                if (_count == 0)
                    return false;
                break;
            }

            // What the interpreter executes begins a block of its own, so that it is found again.
            if (next.Kind == InstructionKind.Interpret && _count > 0)
                break;
            _count++;
            ended = Ends(next.Kind) || (next.Kind == InstructionKind.ConditionalJump && next.Code.NearBranchTarget <= next.Code.IP);
        }

        End = _instructions[_count - 1].Code.NextIP;
        SetLiveness();
        if ((variant & BlockVariant.Careful) == 0)
            AccessGroups.Find(Instructions);
        return true;
    }

    /// <summary>Flags that may be alive where a block of this page goes to.</summary>
    public RflagsBits LiveBetween(ulong block, ulong target, Mfn frame)
    {
        _window.Open(frame, Mfn.Invalid);
        Rip = block;
        return LiveAt(target);
    }

    private void Seek(ulong rip)
    {
        _window.Seek((int)(rip & Page.OffsetMask));
        _decoder.IP = rip;
    }

    private bool TryRead(ref GuestInstruction into, BlockVariant variant)
    {
        _decoder.Decode(out into.Code);
        if (_decoder.LastError == DecoderError.NoMoreBytes)
            return false;
        _classifier.Classify(ref into, variant);
        return true;
    }

    private void SetLiveness()
    {
        ref GuestInstruction last = ref _instructions[_count - 1];
        EndIsNear = !Ends(last.Kind) && IsNear(End);
        RflagsBits live = EndIsNear ? LiveAt(End) : RflagsBits.None;
        bool leaves = !EndIsNear;
        for (int i = _count - 1; i >= 0; i--)
        {
            ref GuestInstruction instruction = ref _instructions[i];
            if (instruction.Kind is InstructionKind.ConditionalJump or InstructionKind.Jump or InstructionKind.Call)
            {
                ulong target = instruction.Code.NearBranchTarget;
                instruction.IsNear = IsNear(target);
                if (instruction.Kind == InstructionKind.ConditionalJump)
                    live |= LiveAt(target);
                else if (instruction.IsNear)
                    (live, leaves) = (LiveAt(target), false);
            }

            // Flags that an instruction only changes in part, and that leave, must be whole in the host's before it.
            RflagsBits through = leaves && instruction.Writes != RflagsBits.None ? InstructionClassifier.Arithmetic : live;
            leaves &= instruction.Writes == RflagsBits.None;
            live = instruction.Reads | (through & ~instruction.Kills);
            instruction.Live = live;
            instruction.LeavesFlags = leaves;
        }
    }

    /// <summary>
    /// Whether blocks at an address are reached with the flags in the host's: on the same page, and not continued on the next. All others find the guest's
    /// flags where <see cref="FlagSaving"/> puts them.
    /// </summary>
    private bool IsNear(ulong rip)
    {
        if (((rip ^ Rip) & ~Page.OffsetMask) != 0)
            return false;
        Seek(rip);
        return TryRead(ref _ahead, BlockVariant.Extended) && ((_ahead.Code.NextIP - 1) & ~Page.OffsetMask) == (rip & ~Page.OffsetMask);
    }

    /// <summary>
    /// Flags that may be alive at an address. Code on another page is not looked at: it may be other code one day, while this block stays.
    /// </summary>
    private RflagsBits LiveAt(ulong rip)
    {
        if (((rip ^ Rip) & ~Page.OffsetMask) != 0)
            return InstructionClassifier.Arithmetic;
        RflagsBits unknown = InstructionClassifier.Arithmetic, live = RflagsBits.None;
        Seek(rip);
        for (int i = 0; i < MaxLookAhead && unknown != RflagsBits.None && TryRead(ref _ahead, BlockVariant.Extended); i++)
        {
            live |= _ahead.Reads & unknown;
            unknown &= ~(_ahead.Kills | _ahead.Reads);
            if (_ahead.Kind == InstructionKind.Jump && ((_ahead.Code.NearBranchTarget ^ Rip) & ~Page.OffsetMask) == 0)
                Seek(_ahead.Code.NearBranchTarget);
            else if (Ends(_ahead.Kind) || _ahead.Kind == InstructionKind.ConditionalJump)
                break;
        }

        return live | unknown;
    }
}
