using Xen.Service;

namespace Xen.Dom0.Tests.Service;

public sealed class ConsoleBacklogTests
{
    /// <summary>Appends and takes at random, beside a list that does the same plainly.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void IsAQueue_ThatLosesTheOldest(int seed)
    {
        const int Capacity = 1000;
        var random = new Random(seed);
        var backlog = new ConsoleBacklog(Capacity);
        List<byte> model = [];
        long lost = 0;
        for (int i = 0; i < 5000; i++)
        {
            if (random.Next(2) == 0)
            {
                byte[] bytes = new byte[random.Next(random.Next(5) == 0 ? 2 * Capacity : 50)];
                random.NextBytes(bytes);
                backlog.Append(bytes);
                model.AddRange(bytes);
                int over = Math.Max(0, model.Count - Capacity);
                model.RemoveRange(0, over);
                lost += over;
            }
            else
            {
                byte[] taken = new byte[random.Next(random.Next(5) == 0 ? 2 * Capacity : 80)];
                int count = backlog.Take(taken);
                Assert.Equal(Math.Min(taken.Length, model.Count), count);
                Assert.Equal(model[..count], taken[..count]);
                model.RemoveRange(0, count);
            }

            Assert.Equal(model.Count, backlog.Count);
            Assert.Equal(model, backlog.Peek());
            if (random.Next(10) == 0)
            {
                Assert.Equal(lost, backlog.TakeLost());
                lost = 0;
            }
        }
    }
}
