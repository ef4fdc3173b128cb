namespace Xen.Cpu;

/// <summary>Jumps between blocks: made, and taken back.</summary>
internal sealed partial class CodeCache
{
    /// <summary>Lets a jump go to a block.</summary>
    /// <param name="id">The jump's exit.</param>
    /// <param name="target">The block.</param>
    public void Link(int id, int target)
    {
        ref BlockExit exit = ref ExitOf(id);
        ref TranslatedBlock from = ref Block(exit.Block);
        ref TranslatedBlock to = ref Block(target);
        if (from.IsDead)
            return;
        if (exit.FlagsAreSaved)
            _memory.PatchJump(exit.Site, to.Far);
        else if (from.Frame == to.Frame && !to.CrossesPage)
            _memory.PatchJump(exit.Site, to.Rip <= from.Rip ? to.Backward : to.Body);
        else
            return;
        AddIncoming(id, ref exit, target, ref to);
    }

    /// <summary>Lets a group's failed check go to a block without groups, for the same address.</summary>
    public void LinkCareful(int id, int target)
    {
        ref BlockExit exit = ref ExitOf(id);
        if (Block(exit.Block).IsDead)
            return;
        ref TranslatedBlock to = ref Block(target);
        _memory.WriteJump(exit.Site, exit.FlagsAreSaved ? to.Saved : to.Body);
        AddIncoming(id, ref exit, target, ref to);
    }

    private void AddIncoming(int id, ref BlockExit exit, int target, ref TranslatedBlock to)
    {
        if (exit.Target >= 0)
            RemoveIncoming(ref exit);
        exit.Target = target;
        exit.PreviousIncoming = -1;
        exit.NextIncoming = to.FirstIncoming;
        if (to.FirstIncoming >= 0)
            ExitOf(to.FirstIncoming).PreviousIncoming = id;
        to.FirstIncoming = id;
    }

    private void RemoveIncoming(ref BlockExit exit)
    {
        if (exit.PreviousIncoming >= 0)
            ExitOf(exit.PreviousIncoming).NextIncoming = exit.NextIncoming;
        else
            Block(exit.Target).FirstIncoming = exit.NextIncoming;
        if (exit.NextIncoming >= 0)
            ExitOf(exit.NextIncoming).PreviousIncoming = exit.PreviousIncoming;
        exit.Target = -1;
    }

    /// <summary>Lets a jump leave its block again. In a voided block nobody is, and entries may be where its jumps were.</summary>
    private void Unlink(int id, ref BlockExit exit)
    {
        exit.Target = -1;
        if (Block(exit.Block).IsDead)
            return;
        if (exit.Kind == BlockExitKind.GroupMiss)
            Translator.RestoreCareful(exit.Site, id);
        else
            _memory.PatchJump(exit.Site, exit.Resume);
    }

    /// <summary>Lets nobody enter a block any more: its entries leave for the engine.</summary>
    /// <returns>Whether it was alive.</returns>
    public bool Kill(int number)
    {
        ref TranslatedBlock block = ref Block(number);
        if (block.IsDead)
            return false;
        block.IsDead = true;
        LeadNowhere(in block);
        return true;
    }

    private void LeadNowhere(in TranslatedBlock block) =>
        Redirect(in block, Trampolines.Lookup, block.Gone, block.GoneKeepingFlags, block.GoneKeepingFlags, block.Gone);

    private void Redirect(in TranslatedBlock block, int indirect, int far, int backward, int body, int saved)
    {
        // Entries may be one and the same: what is written last is for all of those, and must be right for the one that asks most.
        _memory.WriteJump(block.Indirect, indirect);
        _memory.WriteJump(block.Far, far);
        _memory.WriteJump(block.Saved, saved);
        _memory.WriteJump(block.Backward, backward);
        _memory.WriteJump(block.Body, body);
    }

    /// <summary>Sends those who still go to a voided block to the one that takes its place.</summary>
    private void ReplaceDead(in TranslatedBlock replacement)
    {
        ref int link = ref _buckets[Bucket(replacement.Rip)];
        while (link >= 0)
        {
            ref TranslatedBlock block = ref Block(link);
            if (!block.IsDead || block.Rip != replacement.Rip || block.Variant != replacement.Variant)
            {
                link = ref block.NextInBucket;
                continue;
            }

            Redirect(in block, replacement.Indirect, replacement.Far, replacement.Backward, replacement.Body, replacement.Saved);

            // Nobody will look for it: what is sent to it goes on to its replacement, whatever becomes of that.
            link = block.NextInBucket;
        }
    }
}
