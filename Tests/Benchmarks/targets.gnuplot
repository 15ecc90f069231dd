# Draws targets.svg. The program bench sets: data, image, rows, about, machine.
set encoding utf8
height = 150 + 30 * rows
set terminal svg size 1100, height noenhanced font 'sans-serif,13' background rgb 'white'
set output image
set label 1 "Results of the benchmark, relative to their targets (green: met)" at screen 0.02, 1 - 22.0 / height \
    font ',16'
set label 2 about at screen 0.02, 1 - 46.0 / height textcolor rgb '#555555'
set label 3 machine at screen 0.02, 1 - 64.0 / height textcolor rgb '#555555'
set lmargin 56
set rmargin 4
set tmargin at screen 1 - 84.0 / height
set logscale x 2
set xrange [0.1:70]
set yrange [rows - 0.4 : -0.6]
set xtics ("0.1×" 0.1, "0.25×" 0.25, "0.5×" 0.5, "target" 1, "2×" 2, "4×" 4, "≥ 10×" 10)
set xlabel 'times better than the target'
set ytics scale 0
set grid xtics linetype 1 linecolor rgb '#dddddd'
set arrow from 1, -0.6 to 1, rows - 0.4 nohead linewidth 1.5 linecolor rgb '#333333' front
set style fill solid noborder
unset key
color(score) = score >= 1 ? 0x4c9f70 : 0xc8553d
plot data using 2:0:(1):2:($0 - 0.32):($0 + 0.32):(color($2)):ytic(1) \
       with boxxyerror linecolor rgb variable, \
     '' using ($2 > 1 ? $2 * 1.06 : 1.06):0:3 with labels left
