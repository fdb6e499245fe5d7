# Reference figures of R for linear and generalised linear models of public data: lm.json and glm.json.
#
#   Rscript tests/r_reference/models.R tests/r_reference
#
# writes both anew; only this needs R (with the packages below), the tests read the JSON. Models of more than
# 60 rows are fitted to 40 of them, equally spaced, so that the files stay small: every figure is about the
# rows in the file. What the figures are is said in figures.R.
suppressMessages({
  library(MASS)
  library(carData)
  library(AER)
  library(car)
  library(sandwich)
})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "figures.R"))

# package | data | formula | weights | offset
lm_models <- "
datasets|cars|dist ~ speed
datasets|cars|dist ~ 0 + speed + I(speed^2)
datasets|cars|dist ~ poly(speed, 3)
datasets|cars|sqrt(dist) ~ speed||speed / 10
datasets|cars|dist ~ speed|1 / speed
datasets|women|weight ~ height
datasets|women|weight ~ height + I(height^2)
datasets|women|height ~ poly(weight, 2)
datasets|trees|log(Volume) ~ log(Girth) + log(Height)
datasets|trees|Volume ~ Girth * Height
datasets|trees|Volume ~ Girth + Height|1 / Girth
datasets|trees|Volume ~ 0 + I(Girth^2):Height
datasets|mtcars|mpg ~ wt
datasets|mtcars|mpg ~ wt + qsec + factor(am)
datasets|mtcars|mpg ~ hp * wt
datasets|mtcars|mpg ~ factor(cyl) * hp
datasets|mtcars|mpg ~ factor(cyl) + factor(gear) + wt
datasets|mtcars|mpg ~ cyl + disp + hp + drat + wt + qsec + vs + am + gear + carb
datasets|mtcars|mpg ~ wt + factor(carb)
datasets|mtcars|mpg ~ wt + factor(cyl):factor(am)
datasets|mtcars|qsec ~ hp + wt|gear
datasets|mtcars|disp ~ poly(hp, 2) + drat
datasets|stackloss|stack.loss ~ Air.Flow + Water.Temp + Acid.Conc.
datasets|stackloss|log(stack.loss) ~ Air.Flow + Water.Temp
datasets|stackloss|stack.loss ~ Air.Flow * Water.Temp
datasets|longley|Employed ~ GNP.deflator + GNP + Unemployed + Armed.Forces + Population + Year
datasets|longley|Employed ~ GNP + Unemployed
datasets|longley|GNP ~ Year
datasets|swiss|Fertility ~ Agriculture + Examination + Education + Catholic + Infant.Mortality
datasets|swiss|Fertility ~ Agriculture + Education + I(Agriculture + Education) + Catholic
datasets|swiss|Fertility ~ Education * Catholic
datasets|swiss|Infant.Mortality ~ Fertility + Examination|Agriculture
datasets|LifeCycleSavings|sr ~ pop15 + pop75 + dpi + ddpi
datasets|LifeCycleSavings|sr ~ log(dpi) + ddpi
datasets|LifeCycleSavings|sr ~ pop15 + pop75 + dpi + ddpi|dpi
datasets|airquality|Ozone ~ Solar.R + Wind + Temp
datasets|airquality|log(Ozone) ~ Solar.R + Wind * Temp
datasets|airquality|Ozone ~ factor(Month) + Wind
datasets|iris|Sepal.Length ~ Sepal.Width + Petal.Length + Petal.Width
datasets|iris|Sepal.Width ~ Species * Petal.Width
datasets|iris|Petal.Length ~ 0 + Species + Sepal.Length
datasets|attitude|rating ~ complaints + privileges + learning + raises + critical + advance
datasets|attitude|rating ~ complaints + learning
datasets|USArrests|Murder ~ Assault + UrbanPop
datasets|USArrests|Murder ~ Assault + Rape|UrbanPop
datasets|USJudgeRatings|RTEN ~ CONT + INTG + DMNR + DILG + PHYS
datasets|USJudgeRatings|CONT ~ ORAL
datasets|rock|log(perm) ~ area + peri + shape
datasets|rock|perm ~ I(area / 1e4) * I(peri / 1e3)
datasets|pressure|log(pressure) ~ I(1 / (temperature + 273))
datasets|pressure|pressure ~ poly(temperature, 4)
datasets|faithful|eruptions ~ waiting
datasets|faithful|waiting ~ eruptions + I(eruptions > 3)
datasets|freeny|y ~ lag.quarterly.revenue + price.index + income.level + market.potential
datasets|anscombe|y1 ~ x1
datasets|anscombe|y2 ~ x2
datasets|anscombe|y3 ~ x3
datasets|anscombe|y4 ~ x4
datasets|PlantGrowth|weight ~ group
datasets|InsectSprays|sqrt(count) ~ spray
datasets|ToothGrowth|len ~ supp * dose
datasets|ToothGrowth|len ~ supp + log2(dose) + I(log2(dose)^2)
datasets|warpbreaks|log(breaks) ~ wool * tension
datasets|npk|yield ~ block + N * P * K
datasets|npk|yield ~ block + N + K
datasets|chickwts|weight ~ feed
datasets|sleep|extra ~ group + ID
datasets|Orange|circumference ~ age * Tree
datasets|Puromycin|I(1 / rate) ~ I(1 / conc) * state
datasets|Puromycin|rate ~ log(conc) + state|conc
datasets|CO2|uptake ~ log(conc) + Type * Treatment
datasets|Loblolly|height ~ poly(age, 2)
datasets|OrchardSprays|log(decrease) ~ treatment
datasets|esoph|log(ncases + 1) ~ agegp + alcgp
datasets|Theoph|conc ~ Time + I(Time^2) + Dose
MASS|hills|time ~ dist + climb
MASS|hills|time ~ dist + climb|1 / dist^2
MASS|hills|log(time) ~ log(dist) + log(climb)
MASS|cement|y ~ x1 + x2 + x3 + x4
MASS|cement|y ~ x1 + x2
MASS|forbes|log10(pres) ~ bp
MASS|Animals|log(brain) ~ log(body)
MASS|mammals|log(brain) ~ log(body)
MASS|mammals|brain ~ body
MASS|whiteside|Gas ~ Insul * Temp
MASS|whiteside|Gas ~ 0 + Insul / Temp
MASS|cats|Hwt ~ Bwt * Sex
MASS|cabbages|HeadWt ~ Cult * Date + VitC
MASS|UScrime|y ~ M + Ed + Po1 + Ineq + Prob
MASS|UScrime|log(y) ~ Po1 + Po2 + U1 + U2 + GDP
MASS|Boston|medv ~ lstat + rm + crim
MASS|Boston|log(medv) ~ poly(lstat, 2) + chas
MASS|cpus|log10(perf) ~ log10(mmax) + cach + chmax
MASS|Rubber|loss ~ hard + tens
MASS|Rubber|loss ~ poly(hard, 2) * tens
MASS|petrol|Y ~ SG + VP + V10 + EP
MASS|petrol|Y ~ No + EP
MASS|petrol|Y ~ No + VP + EP
MASS|phones|calls ~ year
MASS|road|deaths ~ drivers + popden + rural + temp + fuel
MASS|road|log(deaths) ~ log(drivers)|drivers
MASS|steam|log(Press) ~ Temp
MASS|muscle|Length ~ log(Conc) + Strip
MASS|genotype|Wt ~ Mother + Litter
MASS|immer|Y2 ~ Y1 + Var
MASS|oats|Y ~ N + V
MASS|anorexia|Postwt ~ Prewt + Treat||Prewt
MASS|birthwt|bwt ~ lwt + factor(race) + smoke
MASS|leuk|log(time) ~ ag + log(wbc)
MASS|gehan|log(time) ~ treat + factor(pair)
MASS|painters|Colour ~ Composition + Drawing + School
MASS|Cushings|log(Tetrahydrocortisone) ~ Type * log(Pregnanetriol + 1)
MASS|topo|z ~ poly(x, 2) + poly(y, 2)
MASS|wtloss|Weight ~ Days + I(Days^2)
MASS|Rabbit|BPchange ~ log(Dose) * Treatment + Animal
carData|Duncan|prestige ~ income + education
carData|Duncan|prestige ~ income * type
carData|Duncan|prestige ~ income + education|education
carData|Davis|weight ~ repwt * sex
carData|Prestige|prestige ~ education + log2(income) + type
carData|Prestige|prestige ~ (education + log2(income)) * type
carData|Anscombe|education ~ income + young + urban
carData|Ericksen|undercount ~ minority + crime + poverty + language + city
carData|Angell|moral ~ hetero + mobility + region
carData|Moore|conformity ~ fcategory * partner.status
carData|Highway1|log2(rate) ~ log2(len) + slim + acpt + htype
carData|Leinhardt|log(infant) ~ log(income) * region
carData|Leinhardt|log(infant) ~ log(income) + region * oil
carData|Hartnagel|fconvict ~ tfr + partic + degrees + mconvict
carData|Bfox|partic ~ tfr + menwage + womwage + debt + parttime
carData|Mandel|y ~ x1 + x2
carData|Burt|IQbio ~ IQfoster + class
carData|Robey|tfr ~ contraceptors + region
carData|Sahlins|acres ~ consumers
carData|Soils|pH ~ Contour * Depth + Block
carData|UN|log(infantMortality) ~ log(ppgdp) + group
carData|Wool|log(cycles) ~ len + amp + load
AER|Journals|log(subs) ~ log(price / citations)
AER|CigarettesB|packs ~ price + income
AER|MurderRates|rate ~ convictions + executions + time + income + lfp + noncauc + southern
AER|SIC33|log(output) ~ log(labor) + log(capital)
AER|USGasG|log(gas / population) ~ log(price) + log(income) + log(newcar)
AER|CPS1985|log(wage) ~ education + experience + I(experience^2) + union
AER|GrowthSW|growth ~ tradeshare + education + log(rgdp60)
AER|Equipment|log(valueadded / labor) ~ log(capital / labor)|firms
AER|EuroEnergy|log(energy) ~ log(gdp)
AER|PSID1976|log(fincome) ~ heducation + hage + city
AER|OECDGrowth|log(gdp85 / gdp60) ~ log(gdp60) + log(invest) + log(popgrowth + .05)
"

# package | data | formula | family | weights | offset
glm_models <- "
datasets|mtcars|am ~ wt|binomial
datasets|mtcars|vs ~ hp|binomial(probit)
datasets|mtcars|vs ~ mpg + am|binomial(cloglog)
datasets|mtcars|carb ~ hp + wt|poisson
datasets|mtcars|mpg ~ wt + hp|Gamma
datasets|mtcars|mpg ~ wt + hp|Gamma(log)
datasets|mtcars|mpg ~ wt + factor(cyl)|inverse.gaussian
datasets|mtcars|mpg ~ wt + hp|gaussian|qsec
datasets|warpbreaks|breaks ~ wool * tension|poisson
datasets|warpbreaks|breaks ~ wool + tension|quasipoisson
datasets|warpbreaks|breaks ~ wool * tension|Gamma
datasets|esoph|cbind(ncases, ncontrols) ~ unclass(agegp) + unclass(alcgp)|binomial
datasets|esoph|cbind(ncases, ncontrols) ~ unclass(agegp) + unclass(tobgp)|binomial(probit)
datasets|esoph|cbind(ncases, ncontrols) ~ unclass(alcgp) + unclass(tobgp)|quasibinomial
datasets|InsectSprays|count ~ spray|poisson
datasets|InsectSprays|count ~ spray|quasipoisson
datasets|infert|case ~ spontaneous + induced|binomial
datasets|infert|case ~ age + parity + spontaneous|binomial(probit)
datasets|airquality|Ozone ~ Wind + Temp|Gamma(log)
datasets|airquality|Ozone ~ Wind + Solar.R|quasi(log, mu)
datasets|trees|Volume ~ log(Girth) + log(Height)|gaussian(log)
datasets|trees|Volume ~ Girth + Height|Gamma(log)
datasets|trees|Volume ~ Girth + Height|inverse.gaussian(log)
datasets|cars|dist ~ speed|poisson
datasets|cars|dist ~ speed|quasi(identity, mu)
datasets|cars|dist ~ log(speed)|Gamma(log)|speed
datasets|swiss|Fertility ~ Education + Catholic|gaussian
datasets|swiss|Infant.Mortality ~ Fertility|inverse.gaussian(log)
datasets|swiss|I(Catholic / 100) ~ Agriculture + Examination|quasibinomial
datasets|ToothGrowth|len ~ supp * log(dose)|Gamma
datasets|Puromycin|rate ~ I(1 / conc) + state|Gamma
datasets|UCBAdmissions|Freq ~ Admit * Dept + Gender|poisson
datasets|HairEyeColor|Freq ~ Hair + Eye + Sex|poisson
MASS|menarche|cbind(Menarche, Total - Menarche) ~ Age|binomial
MASS|menarche|cbind(Menarche, Total - Menarche) ~ Age|binomial(probit)
MASS|menarche|cbind(Menarche, Total - Menarche) ~ Age|binomial(cloglog)
MASS|menarche|cbind(Menarche, Total - Menarche) ~ Age|binomial(cauchit)
MASS|birthwt|low ~ age + lwt + smoke|binomial
MASS|birthwt|low ~ lwt + smoke + ht|binomial(cloglog)
MASS|leuk|I(time > 26) ~ ag + log(wbc)|binomial
MASS|leuk|time ~ ag + log(wbc)|Gamma(log)
MASS|Insurance|Claims ~ District + unclass(Group) + unclass(Age)|poisson||log(Holders)
MASS|Insurance|Claims ~ District + unclass(Age)|quasipoisson||log(Holders)
MASS|Insurance|I(Claims / Holders) ~ unclass(Group) + unclass(Age)|quasipoisson|Holders
MASS|ships|incidents ~ type + factor(period)|poisson||log(service + 1)
MASS|housing|Freq ~ Infl * Type + Cont|poisson
MASS|housing|I(as.numeric(Sat) > 2) ~ Infl + Type|binomial|Freq
MASS|quine|Days ~ Eth + Age * Lrn|poisson
MASS|quine|Days ~ Eth + Sex + Age|negative.binomial(2)
MASS|epil|y ~ lbase * trt + lage|poisson
MASS|epil|y ~ lbase + trt + V4|quasipoisson
MASS|snails|cbind(Deaths, N - Deaths) ~ Species + Exposure + Temp|binomial
MASS|snails|cbind(Deaths, N - Deaths) ~ Exposure + Rel.Hum|binomial(probit)
MASS|eagles|cbind(y, n - y) ~ P * A + V|binomial
MASS|eagles|cbind(y, n - y) ~ P + V|quasibinomial
MASS|rotifer|cbind(pm.y, pm.tot - pm.y) ~ density|binomial
MASS|rotifer|cbind(kc.y, kc.tot - kc.y) ~ density|quasibinomial(cloglog)
MASS|Pima.tr|type ~ glu + bmi|binomial
MASS|road|deaths ~ drivers + temp|poisson(sqrt)
MASS|road|deaths ~ log(drivers) + rural|quasipoisson
carData|Cowles|volunteer ~ sex + neuroticism + extraversion + I(neuroticism + extraversion)|binomial
carData|Mroz|lfp ~ k5 + age + inc|binomial
carData|Ornstein|interlocks ~ log2(assets) + nation|poisson
carData|Ornstein|interlocks + 1 ~ log2(assets)|Gamma(log)
carData|AMSsurvey|count ~ type + sex + citizen|poisson
carData|Wool|cycles ~ len + amp + load|Gamma(log)
carData|Wool|cycles ~ log(len) + amp|inverse.gaussian(log)
carData|Leinhardt|infant ~ log(income) + region|Gamma
carData|TitanicSurvival|survived ~ sex + age + passengerClass|binomial
AER|SwissLabor|participation ~ age + youngkids + foreign|binomial
AER|SwissLabor|participation ~ income + age|binomial(probit)
AER|NMES1988|visits ~ hospital + chronic|negative.binomial(1.2)
"

write_models(lm_models, c("package", "data", "formula", "weights", "offset"), lm_figures, "lm.json")
write_models(glm_models, c("package", "data", "formula", "family", "weights", "offset"), glm_figures, "glm.json")
