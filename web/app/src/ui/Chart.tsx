import { BarChart, LineChart, PieChart, ScatterChart, EffectScatterChart, TreemapChart } from 'echarts/charts';
import { DataZoomComponent, GeoComponent, GridComponent, LegendComponent, TitleComponent, TooltipComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';
import { useLook } from '../shell/theme';

echarts.use([BarChart, LineChart, PieChart, ScatterChart, EffectScatterChart, TreemapChart, GridComponent, LegendComponent, TitleComponent, TooltipComponent, DataZoomComponent, GeoComponent, CanvasRenderer]);

export { echarts };

// Distinct in both looks, and for most kinds of colour blindness.
const palette = ['#0f6cbd', '#ca5010', '#13a10e', '#8764b8', '#e3008c', '#c19c00', '#038387', '#d13438', '#57811b', '#7160e8', '#69797e', '#4f6bed'];

/** An ECharts canvas that follows its box and the look. label says in words what a sighted person sees. */
export function Chart({ option, label, height }: { option: echarts.EChartsCoreOption; label: string; height?: number | string }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<echarts.ECharts | null>(null);
  const { dark } = useLook();
  useEffect(() => {
    const el = box.current!;
    const c = echarts.init(el, dark ? 'dark' : undefined, { renderer: 'canvas' });
    chart.current = c;
    const watch = new ResizeObserver(() => c.resize());
    watch.observe(el);
    return () => {
      watch.disconnect();
      c.dispose();
      chart.current = null;
    };
  }, [dark]);
  useEffect(() => {
    chart.current?.setOption({ backgroundColor: 'transparent', animation: false, color: palette, ...option }, true);
  }, [option, dark]);
  return <div ref={box} role="img" aria-label={label} style={{ width: '100%', height: height ?? '100%' }} />;
}
